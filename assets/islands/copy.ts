// Buttons that copy a command; they stay hidden where the clipboard cannot be written.
import { say } from "./say";

export function copies(root: HTMLElement): void {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll<HTMLButtonElement>("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy ?? "");
      const words = button.lastChild;
      if (!words) return;
      const before = words.textContent;
      words.textContent = "Copied";
      say("Copied");
      setTimeout(() => (words.textContent = before), 1500);
    });
  }
}
