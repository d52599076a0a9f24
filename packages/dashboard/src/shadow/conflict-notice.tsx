import { Button } from '@mantine/core';
import type { ConflictField, DesiredOutcome } from './change-desired.ts';
import { valueText } from './shadow-words.ts';
import styles from './shadow.module.css';

interface ConflictNoticeProps {
  readonly conflict: Extract<DesiredOutcome, { kind: 'conflict' }>;
  readonly isPending: boolean;
  readonly onOverwrite: () => void;
  readonly onKeep: () => void;
}

/** Somebody else wrote the same fields meanwhile: what was there, what they wrote, what is about to be written. */
export function ConflictNotice({ conflict: { current, fields }, isPending, onOverwrite, onKeep }: ConflictNoticeProps) {
  return (
    <div className={styles.conflict} role="alert" data-testid="conflict">
      <p>
        <strong>Somebody else changed this meanwhile.</strong>{' '}
        {current === undefined ? 'The shadow was removed.' : `The shadow has version ${current.version} by now.`} Nothing of yours
        is written yet.
      </p>
      <ul>
        {fields.map((field) => (
          <Field key={field.label} field={field} />
        ))}
      </ul>
      <div className={styles.buttons}>
        <Button size="xs" variant="default" disabled={isPending} onClick={onKeep}>
          Keep theirs
        </Button>
        <Button size="xs" loading={isPending} onClick={onOverwrite}>
          Write mine over it
        </Button>
      </div>
    </div>
  );
}

function Field({ field: { label, before, theirs, mine } }: { readonly field: ConflictField }) {
  return (
    <li data-conflict={label}>
      <span className={styles.label}>{label}</span>
      <dl>
        <dt>When you looked</dt>
        <dd>{before === undefined ? 'not there' : valueText(before)}</dd>
        <dt>Theirs</dt>
        <dd>{theirs === undefined ? 'taken away' : valueText(theirs)}</dd>
        <dt>Yours</dt>
        <dd>{mine === null ? 'taken away' : valueText(mine)}</dd>
      </dl>
    </li>
  );
}
