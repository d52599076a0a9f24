import { Textarea } from '@mantine/core';
import styles from './dialog.module.css';

interface JsonInputProps {
  readonly label: string;
  readonly description?: string;
  readonly placeholder?: string;
  readonly rows?: number;
  readonly value: string;
  /** What is wrong with it; empty: nothing. */
  readonly fault: string;
  readonly onChange: (text: string) => void;
}

/** JSON to be typed. */
export function JsonInput({ rows = 8, fault, onChange, ...others }: JsonInputProps) {
  return (
    <Textarea
      {...others}
      className={styles.mono}
      rows={rows}
      spellCheck={false}
      autoCapitalize="none"
      autoComplete="off"
      error={fault === '' ? null : fault}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
