# A thread that makes one C call after another, each when it is told to, and
# tells when it is done. x86-64, System V calling convention.
# scripts/assemble_caller.ts turns this file into the bytes in code.ts;
# caller_aarch64.s does the same in the same order for the other processor.
#
# The code runs at any address, on any number of threads. Each is started with a
# block of memory from malloc, and frees it in the end.
#
# The block, 64-bit words:
        .equ FUNCTION, 0        # what to call; 0 to end the thread
        .equ ARGUMENTS, 8       # six of them
        .equ RESULT, 56
        .equ NOTIFY, 64         # what to call then, with three arguments
        .equ NOTICE, 72         # those
        .equ SEM_WAIT, 96       # address of C's sem_wait
        .equ FREE, 104          # address of C's free
        .equ SEMAPHORE, 112     # a sem_t: posted, the thread makes the call
        .intel_syntax noprefix
        .text
        .balign 8, 0xcc

# void *run(block rdi)
run:
        endbr64
        push    rbx                     # this also aligns the stack
        mov     rbx, rdi
1:      lea     rdi, [rbx + SEMAPHORE]
        call    [rbx + SEM_WAIT]
        test    eax, eax
        jnz     1b                      # a signal interrupted it
        cmp     qword ptr [rbx + FUNCTION], 0
        je      2f
        mov     rdi, [rbx + ARGUMENTS]
        mov     rsi, [rbx + ARGUMENTS + 8]
        mov     rdx, [rbx + ARGUMENTS + 16]
        mov     rcx, [rbx + ARGUMENTS + 24]
        mov     r8, [rbx + ARGUMENTS + 32]
        mov     r9, [rbx + ARGUMENTS + 40]
        xor     eax, eax                # no floating point, where it varies
        call    [rbx + FUNCTION]
        mov     [rbx + RESULT], rax
        mov     rdi, [rbx + NOTICE]
        mov     rsi, [rbx + NOTICE + 8]
        mov     rdx, [rbx + NOTICE + 16]
        call    [rbx + NOTIFY]
        test    rax, rax
        jns     1b                      # negative: nobody listens any more
2:      mov     rdi, rbx
        call    [rbx + FREE]
        xor     eax, eax
        pop     rbx
        ret
