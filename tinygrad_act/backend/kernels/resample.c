/* Beside _mapped of numerics/resampling.py: along an axis, y = weighted sums of x, which are (planes, n or out, inner). Outputs that have
   as many taps and follow each other are a run: its first output, its end, how many taps. `taken` and `weights` have for each run the
   taps of all its outputs, first all first ones. All but n, out and inner come as the places where NumPy has arrays' addresses. */
void resample(REAL* const* x_, REAL* const* y_, long* const* runs_, long* const* taken_, REAL* const* weights_, long count, long n, long out,
              long inner, long from, long to) {
    for (long plane = from; plane < to; plane++) {
        const REAL *x = *x_ + plane * n * inner, *weights = *weights_;
        REAL* const y = *y_ + plane * out * inner;
        const long* taken = *taken_;
        for (const long *run = *runs_, *last = run + 3 * count; run < last; run += 3) {
            const long first = run[0], size = run[1] - first, taps = run[2];
            if (!taps) __builtin_memset(y + first * inner, 0, size * inner * sizeof(REAL));
            for (long tap = 0; tap < taps; tap++, taken += size, weights += size)
                if (inner == 1) {
                    REAL* const at = y + first;
                    if (tap) for (long i = 0; i < size; i++) at[i] += x[taken[i]] * weights[i];
                    else for (long i = 0; i < size; i++) at[i] = x[taken[i]] * weights[i];
                } else for (long i = 0; i < size; i++) {
                    REAL* const at = y + (first + i) * inner;
                    const REAL *row = x + taken[i] * inner, weight = weights[i];
                    if (tap) {
                        #pragma omp simd
                        for (long k = 0; k < inner; k++) at[k] += row[k] * weight;
                    } else {
                        #pragma omp simd
                        for (long k = 0; k < inner; k++) at[k] = row[k] * weight;
                    }
                }
        }
    }
}
