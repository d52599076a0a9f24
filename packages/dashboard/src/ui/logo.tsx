/** Two synchro dials: the far shaft follows the near one. */
export function Logo({ size = 22 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" strokeWidth="1.7" strokeLinecap="round" aria-hidden="true">
      <circle cx="8" cy="15.5" r="5.6" stroke="var(--accent)" />
      <circle cx="16" cy="8.5" r="5.6" stroke="var(--ink)" />
      <path d="M8 15.5l2.7-3.2" stroke="var(--accent)" />
      <path d="M16 8.5l2.7-3.2" stroke="var(--ink)" />
    </svg>
  );
}
