/* y = sum over k of t_k (l_k0 r_k0 + l_k1 r_k1): terms t_k times factors that are sums of two products of a number a row
   (l, rows of 2) and one a column (r, two rows). A term that is not there is 1. */
#define FACTOR(k) (u##k * r##k[c] + v##k * r##k[size + c])
#define ROWS(sum) \
    for (long i = 0; i < rows; i++, y += size, t0 += size, t1 += size, l0 += 2, l1 += 2, l2 += 2) { \
        const REAL u0 = l0[0], v0 = l0[1], u1 = l1[0], v1 = l1[1], u2 = l2[0], v2 = l2[1]; \
        _Pragma("omp simd") \
        for (long c = 0; c < size; c++) y[c] = sum; \
    }

void blend(REAL* y, const REAL* t0, const REAL* l0, const REAL* r0, const REAL* t1, const REAL* l1, const REAL* r1,
           const REAL* l2, const REAL* r2, long kind, long rows, long size) {
    if (kind == 0) ROWS(t0[c] * FACTOR(0))                                         /* one term */
    else if (kind == 1) ROWS(t0[c] * FACTOR(0) + FACTOR(2))                        /* and numbers */
    else if (kind == 2) ROWS(t0[c] * FACTOR(0) + t1[c] * FACTOR(1))                /* two terms */
    else ROWS(t0[c] * FACTOR(0) + t1[c] * FACTOR(1) + FACTOR(2))
}
