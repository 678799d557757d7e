/*
 * switch-stacks.h for x86-64 and aarch64: keeps what their calling conventions have a called
 * function keep, and nothing else.
 *
 * There is no note here that says shadow stacks are followed, since they are not: the linker
 * then does not claim so for the library.
 */

	.text

#if defined(__x86_64__)

	.globl switch_stacks
	.hidden switch_stacks
	.type switch_stacks, @function
switch_stacks:
	.cfi_startproc
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	subq $8, %rsp
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	ldmxcsr (%rsp)
	fldcw 4(%rsp)
	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.cfi_endproc
	.size switch_stacks, . - switch_stacks

/* The first switch returns here, with entry in rbx and its argument in r12. Nobody called. */
	.type switch_stacks_begin, @function
switch_stacks_begin:
	.cfi_startproc
	.cfi_undefined rip
	movq %r12, %rdi
	callq *%rbx
	ud2
	.cfi_endproc
	.size switch_stacks_begin, . - switch_stacks_begin

	.globl switch_stacks_prepare
	.hidden switch_stacks_prepare
	.type switch_stacks_prepare, @function
switch_stacks_prepare:
	.cfi_startproc
	leaq (%rdi,%rsi), %rax
	andq $-16, %rax
	subq $64, %rax
	leaq switch_stacks_begin(%rip), %r8
	movq %r8, 56(%rax)
	movq $0, 48(%rax)
	movq %rdx, 40(%rax)
	movq %rcx, 32(%rax)
	movq $0, 24(%rax)
	movq $0, 16(%rax)
	movq $0, 8(%rax)
	stmxcsr (%rax)
	fnstcw 4(%rax)
	ret
	.cfi_endproc
	.size switch_stacks_prepare, . - switch_stacks_prepare

#elif defined(__aarch64__)

	.globl switch_stacks
	.hidden switch_stacks
	.type switch_stacks, %function
switch_stacks:
	.cfi_startproc
	sub sp, sp, #160
	stp x19, x20, [sp]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret
	.cfi_endproc
	.size switch_stacks, . - switch_stacks

/* The first switch returns here, with entry in x19 and its argument in x20. Nobody called. */
	.type switch_stacks_begin, %function
switch_stacks_begin:
	.cfi_startproc
	.cfi_undefined x30
	mov x0, x20
	blr x19
	brk #0
	.cfi_endproc
	.size switch_stacks_begin, . - switch_stacks_begin

	.globl switch_stacks_prepare
	.hidden switch_stacks_prepare
	.type switch_stacks_prepare, %function
switch_stacks_prepare:
	.cfi_startproc
	add x9, x0, x1
	and x9, x9, #-16
	sub x9, x9, #160
	adr x10, switch_stacks_begin
	stp x2, x3, [x9]
	stp xzr, x10, [x9, #80]
	mov x0, x9
	ret
	.cfi_endproc
	.size switch_stacks_prepare, . - switch_stacks_prepare

#endif

	.section .note.GNU-stack, "", %progbits
