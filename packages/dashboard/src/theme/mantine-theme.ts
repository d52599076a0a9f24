import {
  createTheme,
  defaultVariantColorsResolver,
  localStorageColorSchemeManager,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from '@mantine/core';

// The shades are never seen: theme.css sets what the components use. Mantine wants ten of each.
const PETROL: MantineColorsTuple = [
  '#e0efed',
  '#c3e1de',
  '#9ccfca',
  '#74bdb6',
  '#57c3bb',
  '#2c9b98',
  '#0c6a6e',
  '#095558',
  '#074345',
  '#053133',
];
const BRICK: MantineColorsTuple = [
  '#fbe9e6',
  '#f6cfc9',
  '#f0aba1',
  '#ee9083',
  '#f0796b',
  '#d95545',
  '#bb3a2c',
  '#9c2e22',
  '#7d241b',
  '#5f1b14',
];

export const colorSchemeManager = localStorageColorSchemeManager({ key: 'selsyn-color-scheme' });

/** Filled and subtle controls take the theme's own colours: light on petrol by day, dark on pale petrol by night. */
const variantColorResolver: VariantColorsResolver = (input) => {
  const resolved = defaultVariantColorsResolver(input);
  const name = input.color === 'brick' ? 'bad' : 'accent';
  if (input.variant === 'filled') {
    return {
      ...resolved,
      background: `var(--${name})`,
      hover: `var(--${name}-hover)`,
      color: `var(--${name}-ink)`,
      border: 'none',
    };
  }
  if (input.variant === 'subtle')
    return { ...resolved, hover: 'var(--surface-sunk)', color: name === 'bad' ? 'var(--bad)' : 'var(--ink-soft)' };
  return resolved;
};

export const mantineTheme = createTheme({
  primaryColor: 'petrol',
  colors: { petrol: PETROL, brick: BRICK },
  defaultRadius: 6,
  variantColorResolver,
  cursorType: 'pointer',
  components: {
    Modal: {
      defaultProps: {
        centered: true,
        radius: 10,
        styles: { title: { fontWeight: 600, fontSize: 15 } },
        overlayProps: { backgroundOpacity: 0.45 },
        transitionProps: { duration: 120 },
      },
    },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: false } },
  },
});
