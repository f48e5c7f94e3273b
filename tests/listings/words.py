import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(3)


class Reviews(Dataset):
    def __init__(self, n):
        self.items = [(torch.randint(1, 50, (5 + i % 4,)), i % 2) for i in range(n)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def collate(batch):
    texts, labels = zip(*batch)
    lengths = torch.tensor([len(t) for t in texts])
    return nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=0), lengths, torch.tensor(labels, dtype=torch.float32)


class Sentiment(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.rnn = nn.GRU(embedding_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden_dim)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(2 * hidden_dim, 1)

    def forward(self, text, lengths):
        embedded = self.embedding(text)
        packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, hidden = self.rnn(packed)
        hidden = torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)
        return self.fc(self.dropout(F.gelu(self.norm(hidden)))).squeeze(1)


class Matrix(nn.Module):
    def __init__(self, users, items, dim):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        self.user_bias = nn.Embedding(users, 1)

    def forward(self, u, i):
        return (self.user(u) * self.item(i)).sum(1) + self.user_bias(u).squeeze()


model = Sentiment(50, 8, 6)
print(model)
loader = DataLoader(Reviews(12), batch_size=4, shuffle=True, collate_fn=collate, num_workers=0)
optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
criterion = nn.BCEWithLogitsLoss()
for text, lengths, labels in loader:
    optimizer.zero_grad()
    loss = criterion(model(text, lengths), labels)
    loss.backward()
    optimizer.step()
print(model.embedding.weight.grad[0].abs().sum().item())
print(torch.sigmoid(model(text, lengths)).round().shape)

ratings = Matrix(5, 7, 3)
u, i = torch.LongTensor([0, 1, 4]), torch.LongTensor([6, 2, 0])
print(F.mse_loss(ratings(u, i), torch.tensor([3.0, 4.0, 5.0])).dim())

encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, activation="gelu", batch_first=True), num_layers=2)
print(encoder(torch.randn(2, 5, 8)).shape)
for param in encoder.parameters():
    param.requires_grad = False
print(sum(p.numel() for p in encoder.parameters() if p.requires_grad))
