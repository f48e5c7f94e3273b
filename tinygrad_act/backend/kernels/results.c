/* Convolutions with a vector of results: of what they see, each number is multiplied by a row of the kernel, (taps, results), so that
   images are read as they lie, whatever the stride. For rows too short for vectors of columns. Part of convolve.c. */

#ifdef __AVX512F__
enum { RUN = 4, SUMMED = 8 };                            /* as many columns of two runs, and taps, as there are registers for */
#define OF_RUN(X) FOUR(X)
#define SUMS_OF(X) EIGHT(X)
#else
enum { RUN = 2, SUMMED = 4 };
#define OF_RUN(X) TWO(X)
#define SUMS_OF(X) FOUR(X)
#endif

/* Where lines lie: (channels, images, lines, width). */
typedef struct { long lines, width, image, channel; } layout;

/* The lines of all channels that the part needs, and for each tap where it begins. */
static layout lines_of(const REAL* x, REAL* room, long* taps, const shape* s, const part* p) {
    layout at = {.lines = (p->rows - 1) * s->SH + (s->KH - 1) * s->DH + 1, .width = (s->OW - 1) * s->SW + (s->KW - 1) * s->DW + 1};
    at.image = at.lines * at.width, at.channel = p->images * at.image;
    const REAL* end = x + (p->images - 1) * s->image + (s->C - 1) * s->channel + s->H * s->W;
    for (long c = 0; c < s->C; c++) {
        padded(x + c * s->channel, room + c * at.channel, at.lines, at.width, s, p, end);
        for (long i = 0; i < s->KH; i++)
            for (long j = 0; j < s->KW; j++) *taps++ = c * at.channel + i * s->DH * at.width + j * s->DW;
    }
    return at;
}

/* Two runs of columns, each from where it begins, for one vector of results or two. */
#define BEGIN(c) vector a##c = {0}, b##c = {0}, d##c = {0}, e##c = {0};
#define ADD(c) { \
    const REAL first = x[c * step], second = y[c * step]; \
    a##c += first * u, d##c += second * u; \
    if (two) b##c += first * v, e##c += second * v; \
}
#define FINISH(c) { \
    vector *row = (vector*)out + 2 * c, *other = row + 2 * RUN; \
    row[0] = a##c + bias[0], other[0] = d##c + bias[0]; \
    if (two) row[1] = b##c + bias[1], other[1] = e##c + bias[1]; \
}
INLINE void two_runs(const REAL* const from[2], const REAL* w, const long* taps, long K, const vector* bias, REAL* out, const long step, const int two) {
    OF_RUN(BEGIN)
    for (long k = 0; k < K; k++, w += 2 * WIDTH) {
        const REAL *x = from[0] + taps[k], *y = from[1] + taps[k];
        const vector u = *(const vector*)w, v = *(const vector*)(w + WIDTH);
        OF_RUN(ADD)
    }
    OF_RUN(FINISH)
}
static void runs(const REAL* const from[2], const REAL* w, const long* taps, long K, const vector* bias, REAL* out, long step, int two) {
    if (step == 1) { if (two) two_runs(from, w, taps, K, bias, out, 1, 1); else two_runs(from, w, taps, K, bias, out, 1, 0); }
    else if (step == 2) { if (two) two_runs(from, w, taps, K, bias, out, 2, 1); else two_runs(from, w, taps, K, bias, out, 2, 0); }
    else if (two) two_runs(from, w, taps, K, bias, out, step, 1);
    else two_runs(from, w, taps, K, bias, out, step, 0);
}

/* A run of columns, (columns, 2 WIDTH), to where they belong. */
static void put(const REAL* out, REAL* y, long columns, long rows, const shape* s) {
    if (columns == RUN && s->y_step == 1)
        for (long o = 0; o < rows; o++, y += s->y_channel)
            for (long i = 0; i < RUN; i++) y[i] = out[i * 2 * WIDTH + o];
    else
        for (long o = 0; o < rows; o++, y += s->y_channel)
            for (long i = 0; i < columns; i++) y[i * s->y_step] = out[i * 2 * WIDTH + o];
}

/* A part of y; `room` is for the lines it needs, and its taps. */
static void products_by_results(const REAL* x, const REAL* w, const REAL* bias, REAL* y, void* room, const shape* s, const part* p) {
    const long K = s->C * s->KH * s->KW;
    long* taps = room;
    const REAL* lines = aligned(taps + K);
    const layout at = lines_of(x + p->first * s->image, (REAL*)lines, taps, s, p);
    y += p->first * s->y_image + p->row * s->y_row;
    for (long o = 0; o < s->O; o += 2 * WIDTH, w += 2 * WIDTH * K, y += 2 * WIDTH * s->y_channel) {
        const long rows = least(s->O - o, 2 * WIDTH);
        vector start[2] = {0}, out[4 * RUN];
        for (long r = 0; bias && r < rows; r++) ((REAL*)start)[r] = bias[o + r];
        const REAL* from[2];
        REAL* to[2];
        long columns[2], n = 0;
        for (long b = 0; b < p->images; b++)
            for (long r = 0; r < p->rows; r++)
                for (long q = 0; q < s->OW; q += RUN) {
                    const int last = b + 1 == p->images && r + 1 == p->rows && q + RUN >= s->OW;
                    from[n] = lines + b * at.image + r * s->SH * at.width + q * s->SW;
                    to[n] = y + b * s->y_image + r * s->y_row + q * s->y_step;
                    columns[n++] = least(s->OW - q, RUN);
                    if (n < 2 && !last) continue;
                    if (n < 2) from[1] = from[0];
                    runs(from, w, taps, K, start, (REAL*)out, s->SW, rows > WIDTH);
                    for (long i = 0; i < n; i++) put((const REAL*)(out + 2 * RUN * i), to[i], columns[i], rows, s);
                    n = 0;
                }
    }
}

/* Of SUMMED taps the sums over all columns of a number that they see times the column's row of g. */
#define SEEN_FROM(k) const REAL* x##k = lines + taps[k];
#define BEGIN_SUM(k) vector a##k = {0}, b##k = {0};
#define ADD_SUM(k) { const REAL seen = x##k[i]; a##k += seen * u; if (two) b##k += seen * v; }
#define KEEP_SUM(k) sums[2 * k] += a##k; if (two) sums[2 * k + 1] += b##k;
INLINE void sums_of(const REAL* lines, const REAL* g, const long* taps, vector* sums, const shape* s, const part* p, const layout* at, const int two) {
    SUMS_OF(SEEN_FROM)
    SUMS_OF(BEGIN_SUM)
    for (long b = 0; b < p->images; b++)
        for (long r = 0; r < p->rows; r++) {
            long i = b * at->image + r * s->SH * at->width;
            for (long q = 0; q < s->OW; q++, i += s->SW, g += 2 * WIDTH) {
                const vector u = *(const vector*)g, v = *(const vector*)(g + WIDTH);
                SUMS_OF(ADD_SUM)
            }
        }
    SUMS_OF(KEEP_SUM)
}
static void sums_of_one(const REAL* lines, const REAL* g, const long* taps, vector* sums, const shape* s, const part* p, const layout* at) {
    sums_of(lines, g, taps, sums, s, p, at, 0);
}
static void sums_of_two(const REAL* lines, const REAL* g, const long* taps, vector* sums, const shape* s, const part* p, const layout* at) {
    sums_of(lines, g, taps, sums, s, p, at, 1);
}

/* Adds to w what the parts give; `room` is for the sums, the taps, g in columns, (columns, results), and the lines. */
static void add_by_results(const REAL* x, const REAL* g, REAL* w, void* room, const shape* s, const part* parts, long count) {
    const long K = s->C * s->KH * s->KW, padded_K = (K + SUMMED - 1) / SUMMED * SUMMED, blocks = (s->O + 2 * WIDTH - 1) / (2 * WIDTH);
    vector* sums = room;
    long* taps = (long*)(sums + 2 * blocks * padded_K);
    REAL* columns = aligned(taps + padded_K);
    for (long i = 0; i < 2 * blocks * padded_K; i++) sums[i] = (vector){0};
    for (const part* p = parts; p < parts + count; p++) {
        REAL* lines = columns + p->images * p->rows * s->OW * 2 * WIDTH;
        const layout at = lines_of(x + p->first * s->image, lines, taps, s, p);
        for (long k = K; k < padded_K; k++) taps[k] = 0;
        for (long o = 0; o < s->O; o += 2 * WIDTH) {
            const long rows = least(s->O - o, 2 * WIDTH), whole = rows > WIDTH ? 2 * WIDTH : WIDTH, size = p->rows * s->OW;
            REAL* to = columns;
            for (long b = 0; b < p->images; b++) {
                const REAL* from = g + (p->first + b) * s->y_image + o * s->y_channel + p->row * s->OW;
                for (long q = 0; q < size; q++, to += 2 * WIDTH) {
                    for (long r = 0; r < rows; r++) to[r] = from[r * s->y_channel + q];
                    for (long r = rows; r < whole; r++) to[r] = 0;
                }
            }
            for (long k = 0; k < K; k += SUMMED)
                (rows > WIDTH ? sums_of_two : sums_of_one)(lines, columns, taps + k, sums + 2 * (o / (2 * WIDTH) * padded_K + k), s, p, &at);
        }
    }
    for (long o = 0; o < s->O; o++)
        for (long k = 0; k < K; k++)
            w[o * s->w_result + k] += ((REAL*)(sums + 2 * (o / (2 * WIDTH) * padded_K + k)))[o % (2 * WIDTH)];
}
