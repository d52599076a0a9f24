const PATHS = {
  alert: 'M8 2.2 14.4 13.4H1.6zM8 6.6v3M8 11.5v.1',
  back: 'M10 3 5 8l5 5',
  check: 'M3 8.5 6.4 12 13 4.5',
  copy: 'M6 6h7.5v7.5H6zM10 6V2.5H2.5V10H6',
  download: 'M8 2.5v8M4.7 7.4 8 10.7l3.3-3.3M2.5 13.5h11',
  exit: 'M6.5 2.5h-4v11h4M6.5 8h7M10.7 5.2 13.5 8l-2.8 2.8',
  forward: 'M6 3l5 5-5 5',
  edit: 'M11 2.5 13.5 5 5.5 13H3v-2.5zM9.3 4.2l2.5 2.5',
  folder: 'M2 4h4.3l1.4 1.8H14v7H2z',
  help: 'M5.7 6a2.3 2.3 0 1 1 3.4 2c-.8.5-1.1.9-1.1 1.8M8 12.4v.1',
  minus: 'M3 8h10',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6z',
  person: 'M8 2.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM2.8 13.6c.5-2.6 2.6-4 5.2-4s4.7 1.4 5.2 4',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.4 10.4l3.1 3.1',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  stop: 'M3.5 3.5h9v9h-9z',
  trash: 'M2.5 4.2h11M6 4V2.5h4V4M4 4.2l.6 9.3h6.8l.6-9.3M6.8 6.8v4M9.2 6.8v4',
} as const;

/** A line drawing of 16 units; it says nothing to a screen reader, its button does. */
export function Icon({ name, size = 16 }: { readonly name: keyof typeof PATHS; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
