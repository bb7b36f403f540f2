/* Light or dark, as Airflow is: its class on <html>, else what it keeps in this browser, else the system's wish. */

export type Theme = "light" | "dark";

export function theme(): Theme {
  const classes = document.documentElement.classList;
  if (classes.contains("dark")) return "dark";
  if (classes.contains("light")) return "light";
  const kept = stored();
  if (kept === "dark" || kept === "light") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back now and at each change; returns how to stop. */
export function follow(tell: (theme: Theme) => void): () => void {
  const look = (): void => tell(theme());
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const watch = new MutationObserver(look);
  watch.observe(document.documentElement, { attributeFilter: ["class"] });
  wish.addEventListener("change", look);
  addEventListener("storage", look);
  look();
  return () => {
    watch.disconnect();
    wish.removeEventListener("change", look);
    removeEventListener("storage", look);
  };
}

function stored(): string | null {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}
