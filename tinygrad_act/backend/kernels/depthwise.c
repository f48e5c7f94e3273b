/* A convolution of each channel by itself: y from x and w (0), x from y and w (1), w from x and y (2).
   n: the channels from..to of C in N samples, image H W, result OH OW, kernel KH KW, strides, paddings, dilations. */
#define INLINE static inline __attribute__((always_inline))

INLINE void channel(const int what, REAL* x, REAL* y, REAL* w, const long* n, const long SW) {
    const long C = n[2], H = n[4], W = n[5], OH = n[6], OW = n[7], KH = n[8], KW = n[9];
    double sums[256] = {0};
    for (long sample = 0; sample < n[3]; sample++, x += C * H * W, y += C * OH * OW)
        for (long i = 0; i < OH; i++)
            for (long r = 0; r < KH; r++) {
                const long line = i * n[10] + r * n[14] - n[12];
                if (line < 0 || line >= H) continue;
                for (long c = 0; c < KW; c++) {
                    const long at = c * n[15] - n[13], from = at < 0 ? (SW - 1 - at) / SW : 0;
                    const long room = at < W ? (W - at + SW - 1) / SW : 0, to = room < OW ? room : OW;
                    REAL *from_x = x + line * W + at, *from_y = y + i * OW, k = w[r * KW + c], sum = 0;
                    if (what == 0) {
                        #pragma omp simd
                        for (long j = from; j < to; j++) from_y[j] += k * from_x[j * SW];
                    } else if (what == 1) {
                        #pragma omp simd
                        for (long j = from; j < to; j++) from_x[j * SW] += k * from_y[j];
                    } else {
                        #pragma omp simd reduction(+:sum)
                        for (long j = from; j < to; j++) sum += from_y[j] * from_x[j * SW];
                        sums[r * KW + c] += sum;
                    }
                }
            }
    for (long k = 0; what == 2 && k < KH * KW; k++) w[k] = sums[k];
}

INLINE void channels(const int what, REAL* x, REAL* y, REAL* w, const long* n) {
    for (long c = n[0]; c < n[1]; c++) {
        REAL *p = x + c * n[4] * n[5], *q = y + c * n[6] * n[7], *k = w + c * n[8] * n[9];
        if (n[11] == 1) channel(what, p, q, k, n, 1); else channel(what, p, q, k, n, n[11]);
    }
}
void result(REAL* x, REAL* y, REAL* w, const long* n) { channels(0, x, y, w, n); }
void image(REAL* x, REAL* y, REAL* w, const long* n) { channels(1, x, y, w, n); }
void kernel(REAL* x, REAL* y, REAL* w, const long* n) { channels(2, x, y, w, n); }
