import { CopyButton } from './copy-button.tsx';
import styles from './command-block.module.css';

interface CommandBlockProps {
  readonly title: string;
  /** What is shown. */
  readonly command: string;
  /** What is copied, where that differs (a key that is masked on the screen). */
  readonly copied?: string;
}

/** One command to paste into a shell. */
export function CommandBlock({ title, command, copied = command }: CommandBlockProps) {
  return (
    <div className={styles.block}>
      <div className={styles.head}>
        <span>{title}</span>
        <CopyButton text={copied} label={`Copy: ${title}`} />
      </div>
      <pre className={styles.code} tabIndex={0} aria-label={title}>
        {command}
      </pre>
    </div>
  );
}
