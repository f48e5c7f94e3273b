/* Beside attend and attend_grad of numerics/attention.py: a head after the other, and of each some queries at a time, so that their
   weights stay in the cache. Arrays come as the places where NumPy has their addresses, and with them how they lie. */
#pragma GCC optimize("fp-contract=fast")
#pragma clang fp contract(fast)
#define BLOCK 1                                                /* heads are small */
#include "powers.c"
#include "products.c"
typedef struct { long batch, head, row, column; } steps;
typedef struct { double scale, gain; long H, L, S, D, E, causal, kind; steps q, k, v, y, mask, keep, g, gq, gk, gv; } shape;
enum { NONE, ADDED, SEEN };                                   /* kinds of mask */
enum { SCORES = 1 << 16 };                                    /* about so many at a time */

#define PART(x, i) ((x) + s->i.batch * (head / s->H) + s->i.head * (head % s->H))
#define MATRIX(x, i, first) (matrix){(float*)PART(x, i) + (first) * s->i.row, s->i.row, s->i.column}
#define TURNED(m) (matrix){(m).at, (m).column, (m).row}

#define SPACE(count) (((count) + 2 * LANES - 1) / LANES * LANES)            /* numbers, up to a line of the cache and one more */
#define ALIGNED(p) ((float*)(((long)(p) + 63) / 64 * 64))

INLINE long some_queries(const shape* s) {
    const long n = SCORES / (s->S ? s->S : 1) / ROWS * ROWS;
    return n < 2 * ROWS ? 2 * ROWS : n > s->L ? s->L : n;
}

/* The statement for each of n keys, where `at` is their place in a row of what lies so. */
#define ALONG(steps, ...) \
    if (steps.column == 1) SIMD FOR(j, n) { const long at = j; __VA_ARGS__; } \
    else FOR(j, n) { const long at = j * steps.column; __VA_ARGS__; }

/* q scale, in the room; the scores of the queries first .. first + rows for the first n keys, with the mask. */
INLINE void score(const float* q, const float* k, const char* mask, float scale, const shape* s, long head, long first, long rows, long n,
                  float* scaled, float* scores, float* room) {
    const matrix from = MATRIX(q, q, first);
    FOR(i, rows) SIMD FOR(d, s->D) scaled[i * s->D + d] = from.at[i * from.row + d] * scale;
    product((matrix){scaled, s->D, 1}, TURNED(MATRIX(k, k, 0)), (matrix){scores, n, 1}, rows, n, s->D, 0, room);
    FOR(i, rows) {
        float* row = scores + i * n;
        if (s->causal) for (long j = first + i + 1; j < n; j++) row[j] -= __builtin_inff();
        if (s->kind == ADDED) {
            const float* m = PART((const float*)mask, mask) + (first + i) * s->mask.row;
            ALONG(s->mask, row[j] += m[at])
        } else if (s->kind == SEEN) {
            const char* m = PART(mask, mask) + (first + i) * s->mask.row;
            ALONG(s->mask, row[j] -= m[at] ? 0 : __builtin_inff())
        }
    }
}

/* The weights that dropout leaves: others become 0. */
INLINE void leave(float* weights, const char* keep, const shape* s, long head, long first, long rows, long n) {
    FOR(i, rows) {
        const char* left = PART(keep, keep) + (first + i) * s->keep.row;
        ALONG(s->keep, weights[i * n + j] *= left[at] ? 1 : 0)
    }
}

/* Bytes of room that a thread wants. */
long bytes(const shape* s) {
    const long step = some_queries(s), widest = s->D > s->E ? s->D : s->E;
    return 4 * (2 * SPACE(step * s->S) + 2 * SPACE(step * widest) + ROOM + 2 * LANES);
}

#define SEEN_BY(last) (s->causal && (last) < s->S ? (last) : s->S)

void attend(float* const* q, float* const* k, float* const* v, char* const* mask, char* const* keep, float* const* y, float* const* peak,
            float* const* total, const shape* s, float* const* room_, long from, long to) {
    const long step = some_queries(s);
    const float scale = s->scale, gain = s->gain;
    for (long head = from; head < to; head++)
        for (long first = 0; first < s->L; first += step) {
            const long rows = s->L - first < step ? s->L - first : step, n = SEEN_BY(first + rows);
            float *scores = ALIGNED(*room_), *scaled = scores + SPACE(step * s->S), *room = scaled + SPACE(step * s->D);
            score(*q, *k, mask ? *mask : 0, scale, s, head, first, rows, n, scaled, scores, room);
            FOR(i, rows) {
                float *x = scores + i * n, most = peak_of(x, n);
                most = most == LEAST ? 0 : most;
                const float all = sum(POWERS, x, x, most, x, 0, n);
                (*total)[head * s->L + first + i] = all == 0 ? 1 : all, (*peak)[head * s->L + first + i] = most;
            }
            if (keep) leave(scores, *keep, s, head, first, rows, n);
            const matrix out = MATRIX(*y, y, first);
            product((matrix){scores, n, 1}, MATRIX(*v, v, 0), out, rows, s->E, n, 0, room);
            FOR(i, rows) {
                const float factor = gain / (*total)[head * s->L + first + i];
                SIMD FOR(e, s->E) out.at[i * out.row + e] *= factor;
            }
        }
}

void attend_back(float* const* g_, float* const* q, float* const* k, float* const* v, char* const* mask, char* const* keep, float* const* y_,
                 float* const* peak, float* const* total, float* const* gq, float* const* gk, float* const* gv,
                 const shape* s, float* const* room_, long from, long to) {
    const long step = some_queries(s), D = s->D, E = s->E;
    const float scale = s->scale, gain = s->gain;
    for (long head = from; head < to; head++)
        for (long first = 0; first < s->L; first += step) {
            const long rows = s->L - first < step ? s->L - first : step, n = SEEN_BY(first + rows);
            float *p = ALIGNED(*room_), *gs = p + SPACE(step * s->S), *scaled = gs + SPACE(step * s->S);
            float *g = scaled + SPACE(step * D), *room = g + SPACE(step * E);
            score(*q, *k, mask ? *mask : 0, scale, s, head, first, rows, n, scaled, p, room);
            const matrix given = MATRIX(*g_, g, first), y = MATRIX(*y_, y, first), weights = {p, n, 1}, slopes = {gs, n, 1}, own = {g, E, 1};
            FOR(i, rows) {                                    /* the weights are p / total: g is divided instead */
                float *row = p + i * n, most = (*peak)[head * s->L + first + i];
                const float all = (*total)[head * s->L + first + i];
                SIMD FOR(j, n) row[j] = power(row[j] - most);
                SIMD FOR(e, E) g[i * E + e] = given.at[i * given.row + e] / all;
            }
            product(own, TURNED(MATRIX(*v, v, 0)), slopes, rows, n, E, 0, room);
            if (keep) {
                leave(gs, *keep, s, head, first, rows, n);
                SIMD FOR(j, rows * n) gs[j] *= gain;
            }
            FOR(i, rows) {
                const float dot = sum(PRODUCTS, g + i * E, y.at + i * y.row, 0, 0, 0, E);
                SIMD FOR(j, n) gs[i * n + j] = p[i * n + j] * (gs[i * n + j] - dot);
            }
            if (keep) {
                leave(p, *keep, s, head, first, rows, n);
                SIMD FOR(j, rows * E) g[j] *= gain;
            }
            if (!first) {
                const matrix to[] = {MATRIX(*gk, gk, 0), MATRIX(*gv, gv, 0)};
                FOR(j, s->S) FOR(d, D) to[0].at[j * to[0].row + d] = 0;
                FOR(j, s->S) FOR(e, E) to[1].at[j * to[1].row + e] = 0;
            }
            product(TURNED(weights), own, MATRIX(*gv, gv, 0), n, E, rows, 1, room);
            product(TURNED(slopes), (matrix){scaled, D, 1}, MATRIX(*gk, gk, 0), n, D, rows, 1, room);
            const matrix out = MATRIX(*gq, gq, first);
            product(slopes, MATRIX(*k, k, 0), out, rows, D, n, 0, room);
            FOR(i, rows) SIMD FOR(d, D) out.at[i * out.row + d] *= scale;
        }
}
