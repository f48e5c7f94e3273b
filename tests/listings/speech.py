import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(1)


class SpeechNet(nn.Module):
    def __init__(self, input_size=40, hidden_size=120, num_layers=3, num_classes=10):
        super(SpeechNet, self).__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(40, 120, 3)
        self.fc = nn.Linear(hidden_size, num_classes)
        self.activation = nn.GELU()

    def forward(self, x):
        output, (h, c) = self.lstm(x)
        print(output.shape, h.size(), c.shape)
        return self.fc(self.activation(output[-1]))


net = SpeechNet()
print(net)
optimizer = optim.Adam(net.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss()
inputs = torch.randn(25, 4, 40)
targets = torch.randint(0, 10, (4,))
for step in range(2):
    optimizer.zero_grad()
    out = net(inputs)
    loss = loss_fn(out, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
print((torch.argmax(out, dim=1) == targets).float().mean() <= 1)
h0 = torch.zeros(3, 4, 120)
c0 = torch.zeros(3, 4, 120)
out, hidden = net.lstm(inputs, (h0, c0))
print(len(hidden), out.requires_grad)
packed = nn.utils.rnn.pack_padded_sequence(inputs, torch.tensor([25, 20, 20, 3]), enforce_sorted=True)
padded, lengths = nn.utils.rnn.pad_packed_sequence(net.lstm(packed)[0])
print(padded.shape, lengths)
