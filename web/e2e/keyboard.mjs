//! Web tests: the keyboard. What it reaches, and that one sees where it is.

/** What of an element and its surroundings can show that it has the focus. */
const looks = (element) => {
  const { parentElement: parent, nextElementSibling: next, previousElementSibling: previous } = element;
  // The field of a list of values stands in the list, and that in the box that shows it.
  const near = [element, parent, parent?.parentElement, next, previous];
  return near
    .filter(Boolean)
    .map((e) => {
      const s = getComputedStyle(e);
      return [s.outlineStyle === "none" ? "" : s.outline, s.borderColor, s.boxShadow, s.backgroundColor, s.top].join();
    })
    .join("\n");
};

/** Walks through the page by Tab and names the stops where nothing shows the focus, and all that were reached. */
export async function walk(page, most = 60) {
  await page.evaluate(() => document.activeElement?.blur?.());
  const unseen = [];
  const reached = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate((source) => {
      const looks = new Function(`return ${source}`)();
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const name =
        element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.textContent?.trim() ?? "";
      const said = `${element.tagName.toLowerCase()} ${name.slice(0, 60)}`;
      // A date field has stops of its own, and would begin again.
      if (element.type?.startsWith("date")) return { said, seen: true };
      const focused = looks(element);
      element.blur();
      const without = looks(element);
      element.focus();
      return { said, seen: focused !== without };
    }, looks.toString());
    if (!stop) break;
    reached.push(stop.said);
    if (!stop.seen) unseen.push(stop.said);
  }
  return { reached, unseen };
}
