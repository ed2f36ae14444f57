// A diagram shrinks to the page's width, but not until nobody can read it: from
// seven tenths of its size on it is moved within its box (site.css).
const drawn = mermaid.render;
mermaid.render = async (...words) => {
  const one = await drawn.apply(mermaid, words);
  one.svg = one.svg.replace(/max-width: ([\d.]+)px;/, (all, width) => `${all} min-width: ${0.7 * width}px;`);
  return one;
};
