// A thread that makes one C call after another, each when it is told to, and
// tells when it is done. aarch64, AAPCS64 calling convention.
// scripts/assemble_caller.ts turns this file into the bytes in code.ts;
// caller_x86_64.s does the same in the same order for the other processor.
//
// The code runs at any address, on any number of threads. Each is started with a
// block of memory from malloc, and frees it in the end.
//
// The block, 64-bit words:
        .equ FUNCTION, 0        // what to call; 0 to end the thread
        .equ ARGUMENTS, 8       // six of them
        .equ RESULT, 56
        .equ NOTIFY, 64         // what to call then, with three arguments
        .equ NOTICE, 72         // those
        .equ SEM_WAIT, 96       // address of C's sem_wait
        .equ FREE, 104          // address of C's free
        .equ SEMAPHORE, 112     // a sem_t: posted, the thread makes the call
        .text
        .balign 8, 0

// void *run(block x0)
run:
        bti     c
        stp     x29, x30, [sp, -32]!
        mov     x29, sp
        str     x19, [sp, 16]
        mov     x19, x0
1:      add     x0, x19, SEMAPHORE
        ldr     x9, [x19, SEM_WAIT]
        blr     x9
        cbnz    w0, 1b                  // a signal interrupted it
        ldr     x9, [x19, FUNCTION]
        cbz     x9, 2f
        ldp     x0, x1, [x19, ARGUMENTS]
        ldp     x2, x3, [x19, ARGUMENTS + 16]
        ldp     x4, x5, [x19, ARGUMENTS + 32]
        blr     x9
        str     x0, [x19, RESULT]
        ldp     x0, x1, [x19, NOTICE]
        ldr     x2, [x19, NOTICE + 16]
        ldr     x9, [x19, NOTIFY]
        blr     x9
        tbz     x0, 63, 1b              // negative: nobody listens any more
2:      mov     x0, x19
        ldr     x9, [x19, FREE]
        blr     x9
        mov     x0, 0
        ldr     x19, [sp, 16]
        ldp     x29, x30, [sp], 32
        ret
