"use strict";
// Light or dark: what the reader chose, else what the system prefers.
const root = document.documentElement;
const remembered = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
                     set: (value) => { try { localStorage.setItem("theme", value); } catch { /* of a file: page it may be forbidden */ } } };
if (remembered.get()) root.dataset.theme = remembered.get();

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remembered.set(root.dataset.theme);
  });
  const box = document.getElementById("search");
  if (box) {
    box.addEventListener("input", () => search(box.value));
    search(box.value);
  }
  for (const button of document.querySelectorAll("#all th button")) button.addEventListener("click", () => sort(button.parentElement));
});

// What has all the words stays; a group of which nothing stays goes too.
function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of document.querySelectorAll("[data-words]")) item.hidden = !words.every((word) => item.dataset.words.includes(word));
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector("li:not([hidden])");
  const left = document.querySelectorAll(".cards li:not([hidden])").length;
  document.getElementById("found").textContent = words.length ? `${left} found` : "";
}

// By the column: numbers as numbers, what is empty last; a second click turns it round.
function sort(heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentElement.children) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const column = [...heading.parentElement.children].indexOf(heading);
  const body = document.querySelector("#all tbody");
  const key = (row) => row.children[column].dataset.key;
  const rows = [...body.children].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = Number.isNaN(Number(x)) || Number.isNaN(Number(y)) ? x.localeCompare(y) : Number(x) - Number(y);
    return up ? order : -order;
  });
  body.append(...rows);
}
