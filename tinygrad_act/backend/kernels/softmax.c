/* Beside softmax and log_softmax of activations/softmaxes.py, and cross_entropy of ops/loss.py. Rows are n numbers, `inner` of them side by side in memory; from..to are
   the blocks of n * inner numbers to work on. Arrays come as the places where NumPy has their addresses. */
#include "powers.c"
enum { WIDE = 64, SHORT = 512 };
double log(double);
__attribute__((simd("notinbranch"), const)) float log1pf(float);

/* The same for `width` rows side by side, `step` from one of their numbers to the next. */
INLINE void peaks_of(const float* x, long n, long step, long width, float* most) {
    FOR(i, width) most[i] = LEAST;
    FOR(j, n) SIMD FOR(i, width) most[i] = x[j * step + i] > most[i] ? x[j * step + i] : most[i];
}
INLINE void sums(const int what, const float* a, const float* b, const float* v, float* y, float* equal, long n, long step, long width, float* total) {
    double all[WIDE] = {0};
    SIMD FOR(i, WIDE) equal[i] = 0;
    for (long j = 0; j < n;) {
        const long end = n - j < PIECE ? n : j + PIECE;
        float part[WIDE] = {0};
        for (; j < end; j++) SIMD FOR(i, width) {
            const float t = term(what, a[j * step + i], b[j * step + i], v[i]);
            part[i] += t;
            if (what == OTHERS) equal[i] += a[j * step + i] - v[i] == 0;
            if (what == POWERS) y[j * step + i] = t;
        }
        SIMD FOR(i, WIDE) all[i] += part[i];
    }
    SIMD FOR(i, WIDE) total[i] = all[i];
}

/* log(tops + others) for numbers in `count`, a multiple of LANES. */
INLINE void logs(const float* tops, const float* others, float* y, const long count) {
    SIMD FOR(i, count) y[i] = log1pf(others[i] / tops[i]);
    FOR(i, count) if (tops[i] > 1) y[i] += log(tops[i]);
}

/* Of some rows together, which is fewer logarithms: the peak of each, the sum of e^(x - peak), in two parts, and its logarithm. */
typedef struct { float peak[LANES], tops[LANES], others[LANES], logarithm[LANES]; } totals;
INLINE long totals_of(const float* x, long n, long most, totals* t) {
    const long rows = n > SHORT ? 1 : most < LANES ? most : LANES;
    FOR(i, LANES) t->tops[i] = t->others[i] = 0;
    FOR(r, rows) {
        t->peak[r] = peak_of(x + r * n, n);
        t->others[r] = sum(OTHERS, x + r * n, x + r * n, t->peak[r], 0, t->tops + r, n);
    }
    logs(t->tops, t->others, t->logarithm, LANES);
    return rows;
}

#define EACH(i, expression) SIMD FOR(i, n) y[i] = expression;
#define ACROSS(expression) FOR(j, n) SIMD FOR(i, width) { const long at = j * inner + i; y[at] = expression; }
#define OVER(row, rows) \
    for (long k = from; k < to; k++) { \
        const long start = k * n * inner; \
        if (inner == 1) { row } \
        else for (long c = 0; c < inner; c += WIDE) { \
            const long width = inner - c < WIDE ? inner - c : WIDE, first = start + c; \
            float v[WIDE], w[WIDE]; \
            float one[WIDE], two[WIDE]; \
            rows \
        } \
    }

void softmax(float* const* x_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* x = *x_ + start; float* y = *y_ + start;
         const float scale = 1 / sum(POWERS, x, x, peak_of(x, n), y, 0, n);
         EACH(i, y[i] * scale),
         const float* x = *x_ + first; float* y = *y_ + first;
         peaks_of(x, n, inner, width, v);
         sums(POWERS, x, x, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = 1 / one[i];
         ACROSS(y[at] * w[i]))
}

void softmax_backward(float* const* g_, float* const* s_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* g = *g_ + start; const float* s = *s_ + start; float* y = *y_ + start;
         const float dot = sum(PRODUCTS, g, s, 0, y, 0, n);
         EACH(i, s[i] * (g[i] - dot)),
         const float* g = *g_ + first; const float* s = *s_ + first; float* y = *y_ + first;
         FOR(i, width) v[i] = 0;
         sums(PRODUCTS, g, s, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = one[i];
         ACROSS(s[at] * (g[at] - w[i])))
}

/* The largest numbers are exactly 1 each: the others are not lost beside them. */
void log_softmax(float* const* x_, float* const* y_, long n, long inner, long from, long to) {
    if (inner == 1) {
        for (long k = from; k < to;) {
            const float* x = *x_ + k * n;
            float* y = *y_ + k * n;
            totals t;
            const long rows = totals_of(x, n, to - k, &t);
            for (long r = 0; r < rows; r++, k++, x += n, y += n) EACH(i, x[i] - t.peak[r] - t.logarithm[r])
        }
        return;
    }
    OVER(,
         const float* x = *x_ + first; float* y = *y_ + first;
         peaks_of(x, n, inner, width, v);
         sums(OTHERS, x, x, v, y, two, n, inner, width, one);
         logs(two, one, w, WIDE);
         ACROSS(x[at] - v[i] - w[i]))
}

void log_softmax_backward(float* const* g_, float* const* s_, float* const* y_, long n, long inner, long from, long to) {
    OVER(const float* g = *g_ + start; const float* s = *s_ + start; float* y = *y_ + start;
         const float total = sum(NUMBERS, g, g, 0, y, 0, n);
         EACH(i, g[i] - power(s[i]) * total),
         const float* g = *g_ + first; const float* s = *s_ + first; float* y = *y_ + first;
         FOR(i, width) v[i] = 0;
         sums(NUMBERS, g, g, v, y, two, n, inner, width, one);
         FOR(i, width) w[i] = one[i];
         ACROSS(g[at] - power(s[at]) * w[i]))
}

/* Targets were looked at when the loss was asked for; somebody who shares their memory may have written others since, and then a
   row has no number there. */
#define THERE(target) ((unsigned long)(target) < (unsigned long)n)
INLINE float chosen(const float* x, long target, long n, long step) { return THERE(target) ? x[target * step] : __builtin_nanf(""); }

/* Of each row its peak, the sum of its powers e^(x - peak), and the loss: that sum's logarithm less x - peak of its target. */
#define LOSS(at, x_t, peak, tops, others, logarithm) \
    (*loss_)[at] = (logarithm) - ((x_t) - (peak)), (*peak_)[at] = (peak), (*total_)[at] = (tops) + (others);
void cross_entropy(float* const* x_, long* const* target_, float* const* loss_, float* const* peak_, float* const* total_, long n, long inner, long from, long to) {
    for (long k = from; k < to && inner == 1;) {
        const float* x = *x_ + k * n;
        totals t;
        const long rows = totals_of(x, n, to - k, &t);
        for (long r = 0; r < rows; r++, k++, x += n) LOSS(k, chosen(x, (*target_)[k], n, 1), t.peak[r], t.tops[r], t.others[r], t.logarithm[r])
    }
    for (long k = from; k < to && inner > 1; k++)
        for (long c = 0; c < inner; c += WIDE) {
            const long width = inner - c < WIDE ? inner - c : WIDE, at = k * inner + c;
            const float* x = *x_ + k * n * inner + c;
            float peak[WIDE], tops[WIDE], others[WIDE], logarithm[WIDE];
            peaks_of(x, n, inner, width, peak);
            sums(OTHERS, x, x, peak, 0, tops, n, inner, width, others);
            logs(tops, others, logarithm, WIDE);
            FOR(i, width) LOSS(at + i, chosen(x + i, (*target_)[at + i], n, inner), peak[i], tops[i], others[i], logarithm[i])
        }
}

/* The losses of rows that lie in one piece (`each`), or their sum divided by `count`; and of each loss the gradient. */
void cross_entropy_of_few(float* const* x_, long* const* target_, float* const* loss_, float* const* slope_, long n, long each, long count, long from, long to) {
    double sum_of_all = 0;
    for (long k = from; k < to;) {
        const float* x = *x_ + k * n;
        float* y = *slope_ + k * n;
        totals t;
        const long rows = totals_of(x, n, to - k, &t);
        for (long r = 0; r < rows; r++, k++, x += n, y += n) {
            const long target = (*target_)[k];
            const float loss = t.logarithm[r] - (chosen(x, target, n, 1) - t.peak[r]), share = 1 / (t.tops[r] + t.others[r]);
            if (each) (*loss_)[k] = loss;
            sum_of_all += loss;
            EACH(i, power(x[i] - t.peak[r]) * share)
            if (THERE(target)) y[target] -= 1;
        }
    }
    if (!each) **loss_ = sum_of_all / count;
}

/* g has a number for each row (`each`) or one for all, to be divided by `count`. */
void cross_entropy_backward(float* const* g_, float* const* x_, long* const* target_, float* const* peak_, float* const* total_, float* const* y_,
                            long n, long inner, long each, long count, long from, long to) {
    for (long k = from; k < to; k++)
        for (long c = 0; c < inner; c += WIDE) {
            const long width = inner - c < WIDE ? inner - c : WIDE, at = k * inner + c, first = k * n * inner + c;
            const float *x = *x_ + first, *peak = *peak_ + at;
            float *y = *y_ + first, seed[WIDE], share[WIDE];
            FOR(i, width) seed[i] = (*g_)[each ? at + i : 0] / count, share[i] = seed[i] / (*total_)[at + i];
            if (inner == 1) EACH(i, power(x[i] - *peak) * *share)
            else FOR(j, n) SIMD FOR(i, width) y[j * inner + i] = power(x[j * inner + i] - peak[i]) * share[i];
            FOR(i, width) { const long target = (*target_)[at + i]; if (THERE(target)) y[target * inner + i] -= seed[i]; }
        }
}
