/* Beside _add_rows of numerics/rowsums.py: v's rows (times factor, if there is one), each added to y's row index[i], one after
   the other; of y only the rows low..high. Arrays come as the places where NumPy has their addresses. */
void add_rows(REAL* const* y_, REAL* const* v_, long* const* index_, REAL* const* factor_, long n, long width, long low, long high) {
    const long* index = *index_;
    for (long i = 0; i < n; i++) {
        if (index[i] < low || index[i] >= high) continue;
        REAL* y = *y_ + index[i] * width;
        const REAL *v = *v_ + i * width, by = factor_ ? (*factor_)[i] : 1;
        #pragma omp simd
        for (long k = 0; k < width; k++) y[k] += v[k] * by;
    }
}
