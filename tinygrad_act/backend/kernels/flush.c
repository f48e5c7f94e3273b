/* Subnormal numbers are zeros from flush() on until what it returns is given back: see backend/subnormal.py, which says WORD and BITS. */
#include <fenv.h>
static inline fenv_t flush(void) {
    fenv_t before, now;
    fegetenv(&before), now = before;
    if (BITS) ((unsigned*)&now)[WORD] |= BITS, fesetenv(&now);
    return before;
}
static inline void back(fenv_t before) { if (BITS) fesetenv(&before); }
