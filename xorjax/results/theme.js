"use strict";
// Light or dark: as the system is set, until the reader chooses; paper is always light.
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = [];
let onPaper = false;

function readTheme() {
  try { document.documentElement.dataset.theme = localStorage.getItem("xorjax-theme") ?? ""; } catch { /* not kept */ }
}
readTheme();

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return !onPaper && (chosen ? chosen === "dark" : systemIsDark.matches);
}

// A light page's colours as this page shows them.
function themed(text) {
  return isDark() ? text.replace(/#[0-9A-F]{6}\b/g, (colour) => ON_DARK[colour] ?? colour) : text;
}

function tellTheme() {
  document.querySelector("#theme").textContent = isDark() ? "Light" : "Dark";
  document.querySelector("#theme").setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  themeListeners.forEach((listener) => listener());
}

function setPaper(value) {
  if (onPaper === value) return;
  onPaper = value;
  document.documentElement.classList.toggle("paper", value);
  tellTheme();
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("#theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("xorjax-theme", theme); } catch { /* not kept */ }
    tellTheme();
  });
  // The page around a report has a button too, and other pages.
  document.querySelector("#theme").hidden = self !== parent;
  addEventListener("storage", () => { readTheme(); tellTheme(); });
  systemIsDark.addEventListener("change", tellTheme);
  matchMedia("print").addEventListener("change", (event) => setPaper(event.matches));
  addEventListener("beforeprint", () => setPaper(true));
  addEventListener("afterprint", () => setPaper(false));
  tellTheme();
});
