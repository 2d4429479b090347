// Web: PostCSS for Mantine's breakpoint and colour-scheme mixins.
module.exports = { plugins: { "postcss-preset-mantine": {} } };
