/* Subnormal numbers are zeros from flush() on until what it returns is given back: see backend/subnormal.py, which says BITS and WORD. */
#ifdef __x86_64__                                        /* that word is a register, and fenv.h's way to it takes fifty times longer */
typedef unsigned before_t;
static inline before_t flush(void) {
    const before_t before = __builtin_ia32_stmxcsr();
    if (BITS) __builtin_ia32_ldmxcsr(before | BITS);
    return before;
}
static inline void back(before_t before) { if (BITS) __builtin_ia32_ldmxcsr(before); }
#else
#include <fenv.h>
typedef fenv_t before_t;
static inline before_t flush(void) {
    fenv_t before, now;
    fegetenv(&before), now = before;
    if (BITS) ((unsigned*)&now)[WORD] |= BITS, fesetenv(&now);
    return before;
}
static inline void back(before_t before) { if (BITS) fesetenv(&before); }
#endif
