/* Beside ctc_forward and ctc_occupancy of numerics/ctc.py, for the samples from..to of `samples`: so many steps and states, of which WIDE
   at a time. Arrays come as the places where NumPy has their addresses. */
#define VECTOR __attribute__((simd("notinbranch"), const))
VECTOR float expf(float);
VECTOR float logf(float);
double exp(double), log(double);
#define EXP(x) _Generic((REAL)0, float: expf, double: exp)(x)
#define LOG(x) _Generic((REAL)0, float: logf, double: log)(x)
#define EACH _Pragma("omp simd") for (long k = 0; k < WIDE; k++)
enum { WIDE = 16 };
static const REAL FAR = -1e30, LEAST = sizeof(REAL) == 4 ? -87 : -708;        /* exp of less is subnormal, and takes glibc long */
#define NEAR(x) ((x) < LEAST ? LEAST : (x))                                     /* NaN stays */

/* Up to WIDE numbers, and 0 behind them. */
static inline void take(REAL* to, const REAL* from, long count) {
    if (count >= WIDE) __builtin_memcpy(to, from, WIDE * sizeof(REAL));
    else for (long k = 0; k < WIDE; k++) to[k] = k < count ? from[k] : 0;
}
static inline void give(REAL* to, const REAL* from, long count) {
    if (count >= WIDE) __builtin_memcpy(to, from, WIDE * sizeof(REAL));
    else for (long k = 0; k < count; k++) to[k] = from[k];
}

/* The log of exp(a + x) + exp(b) + exp(c + y): one of three terms is 1, beside which the least is nothing. */
static inline void join(const REAL* a, const REAL* x, const REAL* b, const REAL* c, const REAL* y, REAL* out) {
    EACH {
        const REAL p = a[k] + x[k], q = b[k], r = c[k] + y[k], larger = p > q ? p : q, top = larger > r ? larger : r;
        out[k] = LOG(EXP(NEAR(p - top)) + EXP(NEAR(q - top)) + EXP(NEAR(r - top))) + top;
    }
}

void ctc_forward(REAL* const* scores_, REAL* const* skip_, REAL* const* alpha_, long steps, long samples, long states, long from, long to) {
    const REAL none[WIDE] = {0};
    for (long n = from; n < to; n++) {
        const long next = samples * (states + 2);
        REAL* alpha = *alpha_ + n * (states + 2);
        const REAL *score = *scores_ + n * states, *skip = *skip_ + n * states;
        for (long s = 0; s < states + 2; s++) alpha[s] = s == 2 ? 0 : FAR;
        for (long t = 0; t < steps; t++, alpha += next, score += samples * states) {
            alpha[next] = alpha[next + 1] = FAR;
            for (long s = 0; s < states; s += WIDE) {
                REAL before[3][WIDE], penalty[WIDE], own[WIDE];
                for (long i = 0; i < 3; i++) take(before[i], alpha + s + i, states - s);
                take(penalty, skip + s, states - s);
                take(own, score + s, states - s);
                join(before[0], penalty, before[1], before[2], none, penalty);
                EACH own[k] += penalty[k];
                give(alpha + next + s + 2, own, states - s);
            }
        }
    }
}

/* `beta` is room for states + 2 numbers a sample. */
void ctc_occupancy(REAL* const* scores_, REAL* const* skip_, REAL* const* alpha_, REAL* const* nll_, REAL* const* final_, char* const* last_,
                   REAL* const* beta_, REAL* const* out_, long steps, long samples, long states, long from, long to) {
    const REAL none[WIDE] = {0};
    for (long n = from; n < to; n++) {
        REAL* const beta = *beta_ + n * (states + 2);
        const REAL *skip = *skip_ + n * states, nll = (*nll_)[n];
        for (long s = 0; s < states + 2; s++) beta[s] = FAR;
        for (long t = steps - 1; t >= 0; t--) {
            const long at = (t * samples + n) * states;
            const REAL* alpha = *alpha_ + ((t + 1) * samples + n) * (states + 2) + 2;
            if ((*last_)[t * samples + n]) __builtin_memcpy(beta, *final_ + n * states, states * sizeof(REAL));
            for (long s = 0; s < states; s += WIDE) {
                REAL after[3][WIDE], penalty[WIDE], own[WIDE], till[WIDE];
                for (long i = 0; i < 3; i++) take(after[i], beta + s + i, states - s);
                take(penalty, skip + s + 2, states - s - 2);
                take(own, *scores_ + at + s, states - s);
                take(till, alpha + s, states - s);
                join(after[2], penalty, after[1], after[0], none, penalty);
                EACH {
                    const REAL log_share = till[k] + penalty[k] + nll, share = EXP(NEAR(log_share));
                    own[k] += penalty[k], till[k] = log_share < LEAST ? 0 : share;
                }
                give(beta + s, own, states - s);
                give(*out_ + at + s, till, states - s);
            }
        }
    }
}
