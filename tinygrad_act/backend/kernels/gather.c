/* Beside gather, scatter and scatter_add of backend/indexing.py: `wide` is (outer, n, inner), the index and what goes with each number
   of it, `few`, are (outer, count, inner). Arrays come as the places where NumPy has their addresses. A number of the index that is not
   from 0 to n - 1 ends all, and sets *wrong. */
#define AT_EACH(NAME, DO) \
static inline __attribute__((always_inline)) long NAME##_row(REAL* wide, REAL* few, const long* index, long n, long count, long inner) { \
    for (long j = 0; j < count; j++) \
        for (long k = 0; k < inner; k++, few++, index++) { \
            if (*index < 0 || *index >= n) return 1; \
            REAL* const at = wide + *index * inner + k; \
            DO; \
        } \
    return 0; \
} \
static void NAME##_rows(REAL* wide, REAL* few, const long* index, long* wrong, long n, long count, long inner, long from, long to) { \
    for (long o = from, m = count * inner; o < to && !*wrong; o++) \
        if (inner == 1 ? NAME##_row(wide + o * n, few + o * m, index + o * m, n, count, 1) \
                       : NAME##_row(wide + o * n * inner, few + o * m, index + o * m, n, count, inner)) *wrong = 1; \
}
AT_EACH(gather, *few = *at)
AT_EACH(scatter, *at = *few)
AT_EACH(scatter_add, *at += *few)

void gather(REAL* const* wide, REAL* const* few, long* const* index, long* const* wrong, long n, long count, long inner, long from, long to) {
    gather_rows(*wide, *few, *index, *wrong, n, count, inner, from, to);
}
void scatter(REAL* const* wide, REAL* const* few, long* const* index, long* const* wrong, long n, long count, long inner, long from, long to) {
    scatter_rows(*wide, *few, *index, *wrong, n, count, inner, from, to);
}
void scatter_add(REAL* const* wide, REAL* const* few, long* const* index, long* const* wrong, long n, long count, long inner, long from, long to) {
    scatter_add_rows(*wide, *few, *index, *wrong, n, count, inner, from, to);
}

/* Beside nll_loss of ops/loss.py, a class a sample: x is (outer, n, inner), targets are (outer, inner). The losses (`each`), or their sum
   divided by `count`. */
void nll_loss(REAL* const* x, long* const* target, REAL* const* loss, long n, long inner, long each, long count, long outer) {
    double sum = 0;
    for (long o = 0, at = 0; o < outer; o++)
        for (long k = 0; k < inner; k++, at++) {
            const unsigned long t = (*target)[at];
            const REAL found = t < n ? -(*x)[(o * n + t) * inner + k] : 0.0 / 0.0;
            if (each) (*loss)[at] = found;
            else sum += found;
        }
    if (!each) **loss = sum / count;
}

/* g has a number for each sample (`each`) or one for all, to be divided by `count`; y is zeros. */
void nll_loss_backward(REAL* const* g, long* const* target, REAL* const* y, long n, long inner, long each, long count, long outer) {
    for (long o = 0, at = 0; o < outer; o++)
        for (long k = 0; k < inner; k++, at++) {
            const unsigned long t = (*target)[at];
            if (t < n) (*y)[(o * n + t) * inner + k] = -((*g)[each ? at : 0] / count);
        }
}
