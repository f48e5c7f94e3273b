/* Beside first_places of numerics/choosing.py: where the first k numbers of each row of n stand in its order, for the rows from..to. NaN is
   the largest, and of equal ones the first comes first. Arrays come as the places where NumPy has their addresses. */
enum { MOST = 64 };
#define CHOOSE(BEFORE) \
    for (long row = from; row < to; row++) { \
        const REAL* x = *x_ + row * n; \
        long *at = *places_ + row * k, count = 0; \
        REAL best[MOST]; \
        for (long i = 0; i < n; i++) { \
            const REAL a = x[i]; \
            long j = count < k ? count++ : k; \
            for (REAL b; j > 0 && (b = best[j - 1], BEFORE); j--) if (j < k) best[j] = b, at[j] = at[j - 1]; \
            if (j < k) best[j] = a, at[j] = i; \
        } \
    }
void first_places(REAL* const* x_, long* const* places_, long n, long k, long largest, long from, long to) {
    if (largest) CHOOSE(a > b || (a != a && b == b))
    else CHOOSE(a < b || (b != b && a == a))
}
