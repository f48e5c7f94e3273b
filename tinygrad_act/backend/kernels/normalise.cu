// Beside numerics/normalise.py: arrays (N, G, K, L), whose groups are those of each sample, or with `batch` (K is 1 then) each
// channel's over all samples. One block a group.
struct Group {
    long long q, count, G, K, L;
    bool batch;
    __device__ Group(long long N, long long G, long long K, long long L, long long batch) : q(blockIdx.x), G(G), K(K), L(L), batch(batch) {
        count = batch ? N * L : K * L;
    }
    __device__ long long at(long long m) const { return batch ? (m / L * G + q) * L + m % L : q * K * L + m; }
    __device__ long long channel(long long m) const { return batch ? q : L == 1 ? q % G * K + m : q % G * K + m / L; }
};
#define ALL(m, group) for (long long m = threadIdx.y; m < group.count; m += blockDim.y)

// The mean and, where y is null, the variance; else 1 / sqrt(variance + eps), and in y (x - mean) times that, times weight, plus
// bias. Where `mean` is null, none is subtracted. The sums are worked out again around the mean: so nothing cancels.
extern "C" __global__ void normalise(const T* x, const W* weight, const W* bias, T* y, double* mean, double* spread,
                                     long long N, long long G, long long K, long long L, long long batch, double eps) {
    const Group group(N, G, K, L, batch);
    const double count = group.count > 0 ? group.count : 1;
    double middle = 0;
    if (mean) {
        Sum sum;
        ALL(m, group) sum.add((W)x[group.at(m)]);
        middle = sum.all() / count;
    }
    const W near = (W)middle;
    Sum rest, squares;
    ALL(m, group) {
        const W d = (W)x[group.at(m)] - near;
        rest.add(d);
        squares.add(d * d);
    }
    const double left = mean ? rest.all() / count : 0;
    double result = squares.all() / count - left * left;
    if (y) result = 1 / sqrt(result + eps);
    if (threadIdx.y == 0) {
        if (mean) mean[group.q] = near + left;
        spread[group.q] = result;
    }
    if (!y) return;
    const W scale = (W)result, away = (W)left;
    ALL(m, group) {
        W v = ((W)x[group.at(m)] - near - away) * scale;
        if (weight) v *= weight[group.channel(m)];
        if (bias) v += bias[group.channel(m)];
        y[group.at(m)] = (T)v;
    }
}

// scale (v - mean(v) - d scale^2 mean(v d)), where v = g weight and d = x - mean.
extern "C" __global__ void normalise_backward(const T* g, const T* x, const W* weight, const double* mean, const double* scales, T* gx,
                                              long long N, long long G, long long K, long long L, long long batch) {
    const Group group(N, G, K, L, batch);
    const double middle = mean ? mean[group.q] : 0, scale = scales[group.q];
    const W near = (W)middle, away = (W)(middle - near);
    Sum across, along;
    ALL(m, group) {
        const W v = (W)g[group.at(m)] * (weight ? weight[group.channel(m)] : 1);
        across.add(v);
        along.add(v * ((W)x[group.at(m)] - near - away));
    }
    const W rest = mean ? (W)(across.all() / group.count) : 0, bend = (W)(along.all() * scale * scale / group.count), s = (W)scale;
    ALL(m, group) {
        const W v = (W)g[group.at(m)] * (weight ? weight[group.channel(m)] : 1), d = (W)x[group.at(m)] - near - away;
        gx[group.at(m)] = (T)(s * (v - rest - d * bend));
    }
}

// For weight and bias: the sums of g d scale and of g over samples and pixels, for each channel; blockIdx.y is one of the parts in
// which samples and pixels are summed. `sums` is (2, parts, channels).
extern "C" __global__ void channel_sums(const T* g, const T* x, const double* mean, const double* scales, double* sums,
                                        long long N, long long G, long long K, long long L, long long batch, long long each) {
    const long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x, C = G * K, parts = gridDim.y, part = blockIdx.y;
    const long long end = N * L < (part + 1) * each ? N * L : (part + 1) * each;
    Sum to_weight, to_bias;
    for (long long m = part * each + threadIdx.y; c < C && m < end; m += blockDim.y) {
        const long long n = m / L, at = (n * C + c) * L + m % L, q = batch ? c : n * G + c / K;
        const double middle = mean ? mean[q] : 0;
        const W near = (W)middle, seed = (W)g[at];
        to_weight.add(seed * (((W)x[at] - near - (W)(middle - near)) * (W)scales[q]));
        to_bias.add(seed);
    }
    const double first = to_weight.all(), second = to_bias.all();
    if (c < C && threadIdx.y == 0) {
        sums[part * C + c] = first;
        sums[(parts + part) * C + c] = second;
    }
}
