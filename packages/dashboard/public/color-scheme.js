// Runs before the first paint, so that a dark page never flashes white. Same storage key as src/theme/mantine-theme.ts.
(function () {
  let chosen = null;
  try {
    chosen = localStorage.getItem('selsyn-color-scheme');
  } catch {
    chosen = null; // storage is blocked: the system's choice holds
  }
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
