// Sends messages one behind the other until one is not taken. aarch64, AAPCS64
// calling convention. scripts/assemble_functions.ts turns this file into the
// bytes in code.ts; sender_x86_64.s does the same in the same order for the
// other processor.
//
// The code runs at any address, on any number of threads.
//
// The block, 64-bit words:
        .equ MCAST, 0           // address of cpg_mcast_joined
        .equ NEXT, 8            // address of the next message's struct iovec;
                                // the others follow it
        .equ LEFT, 16           // how many there are, at least 1
        .equ RESULT, 24         // what the last call returned
        .equ IOVEC, 16          // bytes of a struct iovec
        .equ AGREED, 2          // cpg_guarantee_t
        .equ CS_OK, 1           // cs_error_t
        .text
        .balign 8, 0

// int send(handle x0, block x1)
// Returns 0; NEXT is then behind what was taken, and LEFT without it.
send:
        bti     c
        stp     x29, x30, [sp, -32]!
        mov     x29, sp
        stp     x19, x20, [sp, 16]
        mov     x20, x0
        mov     x19, x1
1:      mov     x0, x20
        mov     w1, AGREED
        ldr     x2, [x19, NEXT]
        mov     w3, 1
        ldr     x9, [x19, MCAST]
        blr     x9
        mov     w0, w0                  // the upper half of an int is undefined
        str     x0, [x19, RESULT]
        cmp     w0, CS_OK
        b.ne    2f
        ldp     x10, x9, [x19, NEXT]    // and LEFT
        add     x10, x10, IOVEC
        subs    x9, x9, 1
        stp     x10, x9, [x19, NEXT]    // and LEFT
        b.ne    1b
2:      mov     w0, 0
        ldp     x19, x20, [sp, 16]
        ldp     x29, x30, [sp], 32
        ret
