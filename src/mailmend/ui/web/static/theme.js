// Before anything is drawn: light or dark as it was chosen here, else as the system has it.
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
