import type { ReactNode } from 'react';
import { CommandBlock } from './command-block.tsx';
import styles from './empty-note.module.css';

interface EmptyNoteProps {
  readonly title: string;
  readonly children?: ReactNode;
  /** What to type in a shell. */
  readonly command?: { readonly title: string; readonly command: string } | undefined;
}

/** There is nothing here: why, and what to do about it. */
export function EmptyNote({ title, children, command }: EmptyNoteProps) {
  return (
    <div className={styles.empty} data-testid="empty">
      <strong>{title}</strong>
      {children !== undefined && <p>{children}</p>}
      {command !== undefined && <CommandBlock title={command.title} command={command.command} />}
    </div>
  );
}
