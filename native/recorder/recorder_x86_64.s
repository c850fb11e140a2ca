# Three callbacks for libcpg (model v1) that write down the one event that a
# cpg_dispatch delivers, so that it can be read after the dispatch has returned.
# x86-64, System V calling convention. scripts/assemble_recorder.ts turns this
# file into the bytes in code.ts; recorder_aarch64.s does the same in the same
# order for the other processor.
#
# The code runs at any address. It finds its state block through the word at
# `state`, the last one of the code, which the loader fills in before the page
# becomes executable. One dispatch at a time may use one state block.
#
# State block, 64-bit words:
        .equ MALLOC, 0          # address of C's malloc
        .equ ARENA, 8           # address of the memory for an event
        .equ CAPACITY, 16       # its size in bytes
        .equ EVENT, 24          # address of the event recorded, or 0
        .equ FAILED, 32         # bytes that malloc refused, or
                                # all ones: EVENT still held an event
# Event record:
        .equ KIND, 0            # u32  1 message  2 membership     3 ring
        .equ A, 4               # u32  node id    members          node id
        .equ B, 8               # u32  process id members who left nodes
        .equ C, 12              # u32  0          those who joined 0
        .equ D, 16              # u64  length     0                sequence
        .equ PAYLOAD, 24        # the bytes; 12 bytes a member, in the order
                                # members, left, joined; 4 bytes a node
        .intel_syntax noprefix
        .text
        .balign 8, 0xcc

# void deliver(handle rdi, group rsi, u32 node edx, u32 pid ecx,
#              void *message r8, size_t length r9)
deliver:
        endbr64
        lea     rax, [r9 + PAYLOAD]
        call    reserve
        test    rax, rax
        jz      1f
        mov     dword ptr [rax + KIND], 1
        mov     [rax + A], edx
        mov     [rax + B], ecx
        mov     dword ptr [rax + C], 0
        mov     [rax + D], r9
        lea     rdi, [rax + PAYLOAD]
        mov     rsi, r8
        mov     rcx, r9
        call    copy
        mov     [r11 + EVENT], rax
1:      ret

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
        mov     [r11 + EVENT], rax
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
        mov     [r11 + EVENT], rax
1:      ret

# Finds room for a record of rax bytes. Returns its address in rax, or 0 after
# setting FAILED, and the state block in r11. Keeps the registers in which the
# callbacks find their arguments, except rdi, the handle.
reserve:
        mov     r11, [rip + state]
        cmp     qword ptr [r11 + EVENT], 0
        jne     2f
        cmp     rax, [r11 + CAPACITY]
        ja      1f
        mov     rax, [r11 + ARENA]
        ret
1:      push    rax                     # six words: with the two return
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
        test    rax, rax
        jnz     3f
        mov     [r11 + FAILED], rdi
        ret
2:      mov     qword ptr [r11 + FAILED], -1
        xor     eax, eax
3:      ret

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
