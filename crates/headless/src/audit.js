// Returns what readers of the page would miss, as a list of sentences.
(() => {
  const found = new Set();
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length > 0;
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // Any colour of CSS as red, green, blue and opacity.
  const colour = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "rgba(0, 0, 0, 0)";
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  };
  const over = (top, below) => {
    const mix = (name) => top[name] * top.a + below[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const luminance = ({ r, g, b }) => {
    const linear = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const page = dark ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    return layers.reverse().reduce((below, layer) => over(layer, below), page);
  };
  // The ground of text in a picture is the shape before it in its group.
  const shape = (text) => {
    const drawn = text.parentElement.querySelector(":scope > rect");
    return drawn ? over(colour(getComputedStyle(drawn).fill), ground(text)) : ground(text);
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION", "TITLE"].includes(element.nodeName.toUpperCase()) || !visible(element)) continue;
    if (element.closest(":disabled")) continue;
    const style = getComputedStyle(element);
    const isDrawn = element.namespaceURI.endsWith("svg");
    const below = isDrawn ? shape(element) : ground(element);
    const ratio = contrast(over(colour(isDrawn ? style.fill : style.color), below), below);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.add(`the contrast of "${text.slice(0, 40)}" is ${ratio.toFixed(2)}`);
  }

  for (const [selector, least, most] of [["h1", 1, 1], ["main", 1, 1]]) {
    const count = [...document.querySelectorAll(selector)].filter(visible).length;
    if (count < least || count > most) found.add(`there are ${count} elements ${selector}`);
  }
  if (!document.title) found.add("the page has no title");
  if (!document.documentElement.lang) found.add("the page has no language");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.add(`the id ${id} is there twice`);
  let level = 0;
  for (const heading of [...document.querySelectorAll("h1, h2, h3, h4")].filter(visible)) {
    const own = Number(heading.nodeName[1]);
    if (own > level + 1) found.add(`the heading "${heading.textContent.slice(0, 40)}" skips a level`);
    level = own;
  }
  const width = document.scrollingElement.scrollWidth;
  if (width > innerWidth + 1) {
    const wide = [...document.body.querySelectorAll("*")].find((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scrolls, nav"));
    found.add(`the page is wider than its window: ${width} of ${innerWidth}, because of ${wide?.outerHTML.slice(0, 120)}`);
  }
  return [...found];
})()
