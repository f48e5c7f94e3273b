// Beside cross_entropy of ops/loss.py: logits (outer, n, inner), a class for each row. `weight` may be null: then all classes
// weigh 1.
struct Target {
    bool kept, known;                                    // does it count; is its class there (else NaN follows)
    long long index;
    W weight;
    __device__ Target(const long long* target, const W* weights, bool there, long long row, long long n, long long ignored) {
        const long long t = there ? target[row] : 0;
        kept = t != ignored;
        known = t >= 0 && t < n;
        index = kept && known ? t : 0;
        weight = !there || !kept || n == 0 ? 0 : weights ? weights[index] : 1;
    }
};
__device__ inline W whole_of(const W* weights, long long n) {
    if (!weights) return (W)n;
    W whole = 0;
    for (long long j = threadIdx.y; j < n; j += blockDim.y) whole += weights[j];
    return sum_of(whole);
}

extern "C" __global__ void cross_entropy(const T* x, const long long* target, const W* weights, W* loss, W* counts, W* peaks, W* totals,
                                         long long rows, long long n, long long inner, long long ignored, double smoothing) {
    const Row row(rows, n, inner);
    W most = LOWEST, total = 0, smooth = 0;
    EACH(j, row, n) most = larger(most, (W)x[row.at(j)]);
    most = max_of(most);
    EACH(j, row, n) {
        const W d = (W)x[row.at(j)] - most;
        total += exp(d);
        if (smoothing != 0) smooth += d * (weights ? weights[j] : 1);
    }
    total = sum_of(total);
    W whole = 0;
    if (smoothing != 0) {
        smooth = sum_of(smooth);
        whole = whole_of(weights, n);
    }
    if (!row.there || threadIdx.y != 0) return;
    const Target t(target, weights, true, ROW, n, ignored);
    const W logs = log(total), even = (W)(smoothing / n) * (logs * whole - smooth);
    W l = (logs - ((W)x[row.at(t.index)] - most)) * t.weight;
    l = !t.kept ? 0 : t.known ? l : (W)0 / (W)0;
    loss[ROW] = smoothing != 0 ? (W)(1 - smoothing) * l + (t.kept ? even : 0) : l;
    counts[ROW] = t.weight;
    peaks[ROW] = most;
    totals[ROW] = total;
}

// One block: the sum of the losses, or their mean by what they count for.
extern "C" __global__ void cross_entropy_total(const W* loss, const W* counts, T* result, long long rows, long long mean) {
    Sum sum, count;
    for (long long i = threadIdx.y; i < rows; i += blockDim.y) {
        sum.add(loss[i]);
        count.add(counts[i]);
    }
    const double total = sum.all(), all = count.all();
    if (threadIdx.y == 0) result[0] = (T)(W)(mean ? total / all : total);
}

// One block: what the targets count for together.
extern "C" __global__ void cross_entropy_count(const long long* target, const W* weights, W* result, long long rows, long long n, long long ignored) {
    Sum count;
    for (long long i = threadIdx.y; i < rows; i += blockDim.y) count.add(Target(target, weights, true, i, n, ignored).weight);
    const double all = count.all();
    if (threadIdx.y == 0) result[0] = (W)all;
}

// `count` is null where nothing is divided; g has one number, or with each one a row.
extern "C" __global__ void cross_entropy_backward(const T* g, const T* x, const long long* target, const W* weights, const W* peaks, const W* totals,
                                                  const W* count, T* gx, long long rows, long long n, long long inner, long long ignored,
                                                  double smoothing, long long each) {
    const Row row(rows, n, inner);
    const W whole = smoothing != 0 ? whole_of(weights, n) : 0;
    if (!row.there) return;
    const Target t(target, weights, true, ROW, n, ignored);
    const W seed = (W)g[each ? ROW : 0] / (count ? count[0] : 1);
    W hit = t.kept ? seed * t.weight : 0, even = 0;
    if (smoothing != 0) {
        hit *= (W)(1 - smoothing);
        even = t.kept ? seed * (W)(smoothing / n) : 0;
    }
    const W peak = peaks[ROW], share = (hit + even * whole) / totals[ROW];
    EACH(j, row, n) {
        W v = exp((W)x[row.at(j)] - peak) * share - (j == t.index ? hit : 0);
        if (smoothing != 0) v -= even * (weights ? weights[j] : 1);
        gx[row.at(j)] = (T)v;
    }
}
