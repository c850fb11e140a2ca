# Sends messages one behind the other until one is not taken. x86-64, System V
# calling convention. scripts/assemble_functions.ts turns this file into the
# bytes in code.ts; sender_aarch64.s does the same in the same order for the
# other processor.
#
# The code runs at any address, on any number of threads.
#
# The block, 64-bit words:
        .equ MCAST, 0           # address of cpg_mcast_joined
        .equ NEXT, 8            # address of the next message's struct iovec;
                                # the others follow it
        .equ LEFT, 16           # how many there are, at least 1
        .equ RESULT, 24         # what the last call returned
        .equ IOVEC, 16          # bytes of a struct iovec
        .equ AGREED, 2          # cpg_guarantee_t
        .equ CS_OK, 1           # cs_error_t
        .intel_syntax noprefix
        .text
        .balign 8, 0xcc

# int send(handle rdi, block rsi)
# Returns 0; NEXT is then behind what was taken, and LEFT without it.
send:
        endbr64
        push    rbx
        push    rbp
        push    rax                     # aligns the stack
        mov     rbp, rdi
        mov     rbx, rsi
1:      mov     rdi, rbp
        mov     esi, AGREED
        mov     rdx, [rbx + NEXT]
        mov     ecx, 1
        call    [rbx + MCAST]
        mov     eax, eax                # the upper half of an int is undefined
        mov     [rbx + RESULT], rax
        cmp     eax, CS_OK
        jne     2f
        add     qword ptr [rbx + NEXT], IOVEC
        dec     qword ptr [rbx + LEFT]
        jnz     1b
2:      xor     eax, eax
        pop     rdx
        pop     rbp
        pop     rbx
        ret
