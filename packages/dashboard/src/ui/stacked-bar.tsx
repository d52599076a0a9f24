import styles from './stacked-bar.module.css';

export interface BarPart {
  readonly key: string;
  readonly label: string;
  readonly count: number;
  readonly tone: 'good' | 'warn' | 'bad' | 'active' | 'waiting' | 'plain';
}

interface StackedBarProps {
  readonly label: string;
  readonly parts: readonly BarPart[];
  /** What the whole bar stands for; what no part says stays empty. */
  readonly total: number;
}

/** How a whole is made up. A part that is there is never too thin to be seen. */
export function StackedBar({ label, parts, total }: StackedBarProps) {
  const shown = parts.filter(({ count }) => count > 0);
  const words = shown.map((part) => `${part.count} ${part.label}`).join(', ');
  return (
    <span className={styles.bar} role="img" aria-label={`${label}: ${words === '' ? 'nothing yet' : words}`} title={words}>
      {shown.map(({ key, tone, count }) => (
        <i key={key} data-tone={tone} data-part={key} style={{ flexGrow: count }} />
      ))}
      {sumOf(shown) < total && <i data-tone="none" style={{ flexGrow: total - sumOf(shown) }} />}
    </span>
  );
}

function sumOf(parts: readonly BarPart[]): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}
