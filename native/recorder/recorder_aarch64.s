// Three callbacks for libcpg (model v1) that write down the events that
// cpg_dispatch delivers, one behind the other, and a function that calls
// cpg_dispatch until enough are written down: they can be read when it has
// returned. aarch64, AAPCS64 calling convention. scripts/assemble_recorder.ts
// turns this file into the bytes in code.ts; recorder_x86_64.s does the same in
// the same order for the other processor.
//
// The code runs at any address. The callbacks find the state block through the
// word at `state`, the last one of the code, which the loader fills in before
// the page becomes executable. One drain at a time may use one state block.
//
// State block, 64-bit words:
        .equ MALLOC, 0          // address of C's malloc
        .equ DISPATCH, 8        // address of cpg_dispatch
        .equ NEXT, 16           // where the next event is to be written
        .equ LEFT, 24           // bytes that are left from there on
        .equ BLOCK, 32          // address of an event that had no room there and
                                // got a block from malloc, or 0
        .equ FAILED, 40         // bytes that malloc refused, or
                                // all ones: BLOCK still held an event
        .equ EVENTS, 48         // how many events were written down
        .equ MOST, 56           // how many more are wanted
        .equ ROOM, 64           // how much more, in bytes of messages and WEIGHT
                                // an event; not above 0 when that is reached
        .equ RESULT, 72         // what the last cpg_dispatch returned
        .equ STACK, 80          // where the stack of cpg_dispatch begins, its
                                // highest address, a multiple of 16
// Event record, at multiples of 16 bytes from the first:
        .equ KIND, 0            // u32  1 message  2 membership     3 ring
                                //      4 message that stays where it is
        .equ A, 4               // u32  node id    members          node id
        .equ B, 8               // u32  process id members who left nodes
        .equ C, 12              // u32  0          those who joined 0
        .equ D, 16              // u64  length     0                sequence
        .equ PAYLOAD, 24        // the bytes, or their address; 12 bytes a
                                // member, in the order members, left, joined;
                                // 4 bytes a node
        .equ WEIGHT, 64

// libcpg has a message on its stack. A large one stays there, to be read when
// drain has returned, which it does at once: nothing else uses that stack. But
// where it begins, a signal may write while cpg_dispatch returns.
        .equ LARGE, 16384       // bytes of a large message
        .equ STACK_SIZE, 2097152
        .equ SIGNALS, 32768     // bytes left to signals

        .equ ONE_NONBLOCKING, 4 // cs_dispatch_flags_t
        .equ CS_OK, 1
        .text
        .balign 8, 0

// void deliver(handle x0, group x1, u32 node w2, u32 pid w3,
//              void *message x4, size_t length x5)
deliver:
        bti     c
        stp     x29, x30, [sp, -16]!
        mov     x29, sp
        cmp     x5, LARGE
        b.lo    1f
        ldr     x9, state
        ldr     x9, [x9, STACK]
        sub     x9, x9, SIGNALS
        sub     x9, x9, x4              // so much of the stack from there on
        cmp     x9, STACK_SIZE - SIGNALS
        b.hi    1f
        cmp     x9, x5
        b.hs    2f
1:      add     x0, x5, PAYLOAD
        bl      reserve
        cbz     x0, 3f
        mov     w9, 1
        bl      describe
        add     x10, x0, PAYLOAD
        mov     x11, x4
        mov     x12, x5
        bl      copy
        b       3f
2:      mov     x0, PAYLOAD + 8
        bl      reserve
        cbz     x0, 3f
        mov     w9, 4
        bl      describe
        str     x4, [x0, PAYLOAD]
        str     xzr, [x8, MOST]
3:      ldp     x29, x30, [sp], 16
        ret

// Writes what the record of a message begins with; w9 is its kind.
describe:
        stp     w9, w2, [x0, KIND]      // and A
        stp     w3, wzr, [x0, B]        // and C
        str     x5, [x0, D]
        ldr     x9, [x8, ROOM]
        sub     x9, x9, x5
        str     x9, [x8, ROOM]
        ret

// void confchg(handle x0, group x1, members x2, size_t count x3,
//              left x4, size_t count x5, joined x6, size_t count x7)
confchg:
        bti     c
        stp     x29, x30, [sp, -16]!
        mov     x29, sp
        add     x0, x3, x5
        add     x0, x0, x7
        add     x0, x0, x0, lsl 1       // 12 bytes a member
        lsl     x0, x0, 2
        add     x0, x0, PAYLOAD
        bl      reserve
        cbz     x0, 1f
        mov     w9, 2
        stp     w9, w3, [x0, KIND]      // and A
        stp     w5, w7, [x0, B]         // and C
        str     xzr, [x0, D]
        add     x10, x0, PAYLOAD
        mov     x11, x2
        mov     x12, x3
        bl      copy_members
        mov     x11, x4
        mov     x12, x5
        bl      copy_members
        mov     x11, x6
        mov     x12, x7
        bl      copy_members
1:      ldp     x29, x30, [sp], 16
        ret

// void totem_confchg(handle x0, ring id {u32 node w1, u64 sequence x2},
//                    u32 count w3, u32 *nodes x4)
totem_confchg:
        bti     c
        stp     x29, x30, [sp, -16]!
        mov     x29, sp
        mov     w3, w3                  // the upper half of a u32 is undefined
        lsl     x5, x3, 2               // 4 bytes a node
        add     x0, x5, PAYLOAD
        bl      reserve
        cbz     x0, 1f
        mov     w9, 3
        stp     w9, w1, [x0, KIND]      // and A
        stp     w3, wzr, [x0, B]        // and C
        str     x2, [x0, D]
        add     x10, x0, PAYLOAD
        mov     x11, x4
        mov     x12, x5
        bl      copy
1:      ldp     x29, x30, [sp], 16
        ret

// int drain(handle x0, state block x1)
// Takes events, with cpg_dispatch on its own stack, for as long as there are some
// and more are wanted. Returns 0.
drain:
        bti     c
        stp     x29, x30, [sp, -48]!
        mov     x29, sp
        stp     x19, x20, [sp, 16]
        str     x21, [sp, 32]
        mov     x19, x0
        mov     x20, x1
        ldr     x9, [x20, STACK]
        mov     sp, x9
1:      ldr     x21, [x20, EVENTS]
        mov     x0, x19
        mov     w1, ONE_NONBLOCKING
        ldr     x9, [x20, DISPATCH]
        blr     x9
        mov     w0, w0                  // the upper half of an int is undefined
        str     x0, [x20, RESULT]
        cmp     w0, CS_OK
        b.ne    2f
        ldr     x9, [x20, EVENTS]       // nothing was written down
        cmp     x21, x9
        b.eq    2f
        ldr     x9, [x20, BLOCK]
        cbnz    x9, 2f
        ldr     x9, [x20, ROOM]
        cmp     x9, 0
        b.le    2f
        ldr     x9, [x20, MOST]
        subs    x9, x9, 1
        str     x9, [x20, MOST]
        b.gt    1b
2:      mov     sp, x29
        mov     w0, 0
        ldr     x21, [sp, 32]
        ldp     x19, x20, [sp, 16]
        ldp     x29, x30, [sp], 48
        ret

// Finds room for a record of x0 bytes, and counts it. Returns its address in
// x0, or 0 after setting FAILED, and the state block in x8. Keeps x1 to x7, the
// registers in which the callbacks find their arguments.
reserve:
        ldr     x8, state
        ldp     x10, x9, [x8, NEXT]     // and LEFT
        cmp     x0, x9
        b.gt    1f
        add     x0, x0, 15              // the next one is aligned as this one
        and     x0, x0, -16
        sub     x9, x9, x0              // to below 0, perhaps
        add     x11, x10, x0
        stp     x11, x9, [x8, NEXT]     // and LEFT
        mov     x0, x10
        b       3f
1:      ldr     x9, [x8, BLOCK]
        cbnz    x9, 4f
        stp     x29, x30, [sp, -80]!    // ten words keep the stack aligned
        mov     x29, sp                 // to 16 bytes
        stp     x0, x1, [sp, 16]
        stp     x2, x3, [sp, 32]
        stp     x4, x5, [sp, 48]
        stp     x6, x7, [sp, 64]
        ldr     x9, [x8, MALLOC]
        blr     x9
        ldp     x9, x1, [sp, 16]        // x9: the size asked for
        ldp     x2, x3, [sp, 32]
        ldp     x4, x5, [sp, 48]
        ldp     x6, x7, [sp, 64]
        ldp     x29, x30, [sp], 80
        ldr     x8, state
        str     x0, [x8, BLOCK]
        cbz     x0, 2f
3:      ldr     x9, [x8, EVENTS]
        add     x9, x9, 1
        str     x9, [x8, EVENTS]
        ldr     x9, [x8, ROOM]
        sub     x9, x9, WEIGHT
        str     x9, [x8, ROOM]
        ret
2:      str     x9, [x8, FAILED]
        ret
4:      mov     x9, -1
        str     x9, [x8, FAILED]
        mov     x0, 0
        ret

// Copies x12 members (copy_members) or bytes (copy) from x11 to x10 and leaves
// x10 behind the last byte written. Changes x9 to x12 and v0 to v3.
copy_members:
        add     x12, x12, x12, lsl 1
        lsl     x12, x12, 2
copy:
        subs    x12, x12, 64
        b.lo    2f
1:      ldp     q0, q1, [x11], 32
        ldp     q2, q3, [x11], 32
        stp     q0, q1, [x10], 32
        stp     q2, q3, [x10], 32
        subs    x12, x12, 64
        b.hs    1b
2:      adds    x12, x12, 64 - 16       // 0 to 63 bytes are left
        b.lt    4f
3:      ldr     q0, [x11], 16
        str     q0, [x10], 16
        subs    x12, x12, 16
        b.hs    3b
4:      adds    x12, x12, 16            // 0 to 15
        b.eq    6f
5:      ldrb    w9, [x11], 1
        strb    w9, [x10], 1
        subs    x12, x12, 1
        b.ne    5b
6:      ret

        .balign 8, 0
state:  .quad   0
