/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks in a program for the profile (../plugin): instructions that do
 * nothing, with an operand that nothing else uses. Their bytes.
 */
#ifndef MARK_H
#define MARK_H

/* nopl 0x7669726B(%rax) and so on */
#define MARK_BEGIN 0x0f, 0x1f, 0x80, 0x6b, 0x72, 0x69, 0x76
#define MARK_END 0x0f, 0x1f, 0x80, 0x6c, 0x72, 0x69, 0x76
#define MARK_WATCH 0x0f, 0x1f, 0x80, 0x6d, 0x72, 0x69, 0x76

#define MARK_TEXT(...) #__VA_ARGS__
#define MARK_CODE(...) __asm__ volatile(".byte " MARK_TEXT(__VA_ARGS__))

#endif /* MARK_H */
