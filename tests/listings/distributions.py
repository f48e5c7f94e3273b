import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.distributions.transformed_distribution import TransformedDistribution
from torch.distributions.transforms import TanhTransform

torch.manual_seed(5)


class VAE(nn.Module):
    def __init__(self, inputs=12, hidden=16, latent=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def forward(self, x):
        mu, log_var = self.encoder(x).chunk(2, dim=-1)
        q = Normal(mu, torch.exp(0.5 * log_var))
        return self.decoder(q.rsample()), q


x = torch.bernoulli(torch.tensor([[0.9] * 6 + [0.1] * 6, [0.1] * 6 + [0.9] * 6]).repeat(32, 1))
model = VAE()
optimizer = optim.Adam(model.parameters(), lr=1e-2)
prior = Normal(torch.zeros(2), torch.ones(2))
losses = []
for epoch in range(60):
    logits, q = model(x)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = kl_divergence(q, prior).sum(-1)
    loss = (reconstruction + kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(q, prior, logits.shape, kl.shape)
print(losses[-1] < 0.9 * losses[0], bool((kl > 0).all()))
print(torch.sigmoid(model.decoder(prior.sample((4,)))).shape)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 3))

    def forward(self, state):
        return Categorical(logits=self.net(state))


def reward_of(state, action):
    return (action == state.argmax(dim=-1)).float()


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=3e-2)
for step in range(150):
    state = torch.eye(3)[torch.randint(0, 3, (64,))]
    dist = policy(state)
    action = dist.sample()
    reward = reward_of(state, action)
    advantage = reward - reward.mean()
    loss = -(dist.log_prob(action) * advantage).mean() - 0.001 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
dist = policy(torch.eye(3))
print(dist, action.shape, action.dtype, action.requires_grad)
print(dist.probs.argmax(dim=-1), dist.mode, (dist.probs.max(dim=-1)[0] > 0.8).all().item())

action = policy(torch.eye(3)[0]).sample()
print(action.shape, isinstance(action.item(), int))

mixture = MixtureSameFamily(Categorical(torch.tensor([1.0, 3.0])), Normal(torch.tensor([-1.0, 1.0]), 0.5))
print(mixture.mean, mixture.log_prob(torch.tensor([-1.0, 1.0])), mixture.sample((2, 3)).shape)
squashed = TransformedDistribution(Independent(Normal(torch.zeros(4, 2), 1.0), 1), [TanhTransform(cache_size=1)])
action = squashed.rsample()
print(squashed.batch_shape, squashed.event_shape, squashed.log_prob(action).shape, bool((action.abs() < 1).all()))
try:
    Normal(0.0, -1.0)
except ValueError as error:
    print("ValueError", "GreaterThan(lower_bound=0.0)" in str(error))
print(Normal(0.0, 1.0).cdf(torch.tensor(1.0)), Normal(0.0, 1.0).icdf(torch.tensor(0.9)), Normal(0.0, 2.0).entropy())
