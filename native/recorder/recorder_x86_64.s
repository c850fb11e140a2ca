# Three callbacks for libcpg (model v1) that write down the events that
# cpg_dispatch delivers, one behind the other, and a function that calls
# cpg_dispatch until enough are written down: they can be read when it has
# returned. x86-64, System V calling convention. scripts/assemble_recorder.ts
# turns this file into the bytes in code.ts; recorder_aarch64.s does the same in
# the same order for the other processor.
#
# The code runs at any address. The callbacks find the state block through the
# word at `state`, the last one of the code, which the loader fills in before
# the page becomes executable. One drain at a time may use one state block.
#
# State block, 64-bit words:
        .equ MALLOC, 0          # address of C's malloc
        .equ DISPATCH, 8        # address of cpg_dispatch
        .equ NEXT, 16           # where the next event is to be written
        .equ LEFT, 24           # bytes that are left from there on
        .equ BLOCK, 32          # address of an event that had no room there and
                                # got a block from malloc, or 0
        .equ FAILED, 40         # bytes that malloc refused, or
                                # all ones: BLOCK still held an event
        .equ EVENTS, 48         # how many events were written down
        .equ MOST, 56           # how many more are wanted
        .equ ROOM, 64           # how much more, in bytes of messages and WEIGHT
                                # an event; not above 0 when that is reached
        .equ RESULT, 72         # what the last cpg_dispatch returned
        .equ STACK, 80          # where the stack of cpg_dispatch begins, its
                                # highest address, a multiple of 16
# Event record, at multiples of 16 bytes from the first:
        .equ KIND, 0            # u32  1 message  2 membership     3 ring
                                #      4 message that stays where it is
        .equ A, 4               # u32  node id    members          node id
        .equ B, 8               # u32  process id members who left nodes
        .equ C, 12              # u32  0          those who joined 0
        .equ D, 16              # u64  length     0                sequence
        .equ PAYLOAD, 24        # the bytes, or their address; 12 bytes a
                                # member, in the order members, left, joined;
                                # 4 bytes a node
        .equ WEIGHT, 64

# libcpg has a message on its stack. A large one stays there, to be read when
# drain has returned, which it does at once: nothing else uses that stack. But
# where it begins, a signal may write while cpg_dispatch returns.
        .equ LARGE, 16384       # bytes of a large message
        .equ STACK_SIZE, 2097152
        .equ SIGNALS, 32768     # bytes left to signals

        .equ ONE_NONBLOCKING, 4 # cs_dispatch_flags_t
        .equ CS_OK, 1
        .intel_syntax noprefix
        .text
        .balign 8, 0xcc

# void deliver(handle rdi, group rsi, u32 node edx, u32 pid ecx,
#              void *message r8, size_t length r9)
deliver:
        endbr64
        cmp     r9, LARGE
        jb      1f
        mov     rax, [rip + state]
        mov     rax, [rax + STACK]
        sub     rax, SIGNALS
        sub     rax, r8                 # so much of the stack from there on
        cmp     rax, STACK_SIZE - SIGNALS
        ja      1f
        cmp     rax, r9
        jae     2f
1:      lea     rax, [r9 + PAYLOAD]
        call    reserve
        test    rax, rax
        jz      3f
        mov     dword ptr [rax + KIND], 1
        call    describe
        lea     rdi, [rax + PAYLOAD]
        mov     rsi, r8
        mov     rcx, r9
        call    copy
        ret
2:      mov     eax, PAYLOAD + 8
        call    reserve
        test    rax, rax
        jz      3f
        mov     dword ptr [rax + KIND], 4
        mov     [rax + PAYLOAD], r8
        mov     qword ptr [r11 + MOST], 0
describe:                               # what a message's record begins with
        mov     [rax + A], edx
        mov     [rax + B], ecx
        mov     dword ptr [rax + C], 0
        mov     [rax + D], r9
        sub     [r11 + ROOM], r9
3:      ret

# void confchg(handle rdi, group rsi, members rdx, size_t count rcx,
#              left r8, size_t count r9, joined [rsp+8], size_t count [rsp+16])
confchg:
        endbr64
        lea     rax, [rcx + r9]
        add     rax, [rsp + 16]
        lea     rax, [rax + rax * 2]    # 12 bytes a member
        lea     rax, [rax * 4 + PAYLOAD]
        call    reserve
        test    rax, rax
        jz      1f
        mov     dword ptr [rax + KIND], 2
        mov     [rax + A], ecx
        mov     [rax + B], r9d
        mov     r10, [rsp + 16]
        mov     [rax + C], r10d
        mov     qword ptr [rax + D], 0
        lea     rdi, [rax + PAYLOAD]
        mov     rsi, rdx
        call    copy_members            # rcx of them
        mov     rsi, r8
        mov     rcx, r9
        call    copy_members
        mov     rsi, [rsp + 8]
        mov     rcx, r10
        call    copy_members
1:      ret

# void totem_confchg(handle rdi, ring id {u32 node esi, u64 sequence rdx},
#                    u32 count ecx, u32 *nodes r8)
totem_confchg:
        endbr64
        mov     ecx, ecx                # the upper half of a u32 is undefined
        lea     rax, [rcx * 4 + PAYLOAD]
        call    reserve
        test    rax, rax
        jz      1f
        mov     dword ptr [rax + KIND], 3
        mov     [rax + A], esi
        mov     [rax + B], ecx
        mov     dword ptr [rax + C], 0
        mov     [rax + D], rdx
        lea     rdi, [rax + PAYLOAD]
        mov     rsi, r8
        shl     rcx, 2                  # 4 bytes a node
        call    copy
1:      ret

# int drain(handle rdi, state block rsi)
# Takes events, with cpg_dispatch on its own stack, for as long as there are some
# and more are wanted. Returns 0.
drain:
        endbr64
        push    rbp
        push    rbx
        push    r12
        push    r13
        mov     rbp, rsp
        mov     rbx, rdi
        mov     r12, rsi
        mov     rsp, [r12 + STACK]
1:      mov     r13, [r12 + EVENTS]
        mov     rdi, rbx
        mov     esi, ONE_NONBLOCKING
        call    [r12 + DISPATCH]
        mov     eax, eax                # the upper half of an int is undefined
        mov     [r12 + RESULT], rax
        cmp     eax, CS_OK
        jne     2f
        cmp     r13, [r12 + EVENTS]     # nothing was written down
        je      2f
        cmp     qword ptr [r12 + BLOCK], 0
        jne     2f
        cmp     qword ptr [r12 + ROOM], 0
        jle     2f
        dec     qword ptr [r12 + MOST]
        jg      1b
2:      mov     rsp, rbp
        xor     eax, eax
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

# Finds room for a record of rax bytes, and counts it. Returns its address in
# rax, or 0 after setting FAILED, and the state block in r11. Keeps the
# registers in which the callbacks find their arguments, except rdi, the handle.
reserve:
        mov     r11, [rip + state]
        cmp     rax, [r11 + LEFT]
        jg      1f
        add     rax, 15                 # the next one is aligned as this one
        and     rax, -16
        sub     [r11 + LEFT], rax       # to below 0, perhaps
        mov     rdi, [r11 + NEXT]
        add     [r11 + NEXT], rax
        mov     rax, rdi
        jmp     3f
1:      cmp     qword ptr [r11 + BLOCK], 0
        jne     4f
        push    rax                     # six words: with the two return
        push    rcx                     # addresses they keep the stack aligned
        push    rdx                     # to 16 bytes at the call
        push    rsi
        push    r8
        push    r9
        mov     rdi, rax
        call    [r11 + MALLOC]
        pop     r9
        pop     r8
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rdi                     # the size asked for
        mov     r11, [rip + state]
        mov     [r11 + BLOCK], rax
        test    rax, rax
        jz      2f
3:      inc     qword ptr [r11 + EVENTS]
        sub     qword ptr [r11 + ROOM], WEIGHT
        ret
2:      mov     [r11 + FAILED], rdi
        ret
4:      mov     qword ptr [r11 + FAILED], -1
        xor     eax, eax
        ret

# Copies rcx members (copy_members) or bytes (copy) from rsi to rdi and leaves
# rdi behind the last byte written. Changes rcx, rdx, rsi, rdi, xmm0 to xmm3.
#
# Not `rep movsb`: when the destination lies 1 to 15 bytes after the source,
# counted modulo 4096, some processors take more than ten times as long for it.
copy_members:
        lea     rcx, [rcx + rcx * 2]
        shl     rcx, 2
copy:
        sub     rcx, 64
        jb      2f
1:      movups  xmm0, [rsi]
        movups  xmm1, [rsi + 16]
        movups  xmm2, [rsi + 32]
        movups  xmm3, [rsi + 48]
        movups  [rdi], xmm0
        movups  [rdi + 16], xmm1
        movups  [rdi + 32], xmm2
        movups  [rdi + 48], xmm3
        add     rsi, 64
        add     rdi, 64
        sub     rcx, 64
        jae     1b
2:      add     rcx, 64 - 16            # 0 to 63 bytes are left
        jl      4f
3:      movups  xmm0, [rsi]
        movups  [rdi], xmm0
        add     rsi, 16
        add     rdi, 16
        sub     rcx, 16
        jae     3b
4:      add     rcx, 16                 # 0 to 15
        jz      6f
5:      mov     dl, [rsi]
        mov     [rdi], dl
        inc     rsi
        inc     rdi
        dec     rcx
        jnz     5b
6:      ret

        .balign 8, 0xcc
state:  .quad   0
