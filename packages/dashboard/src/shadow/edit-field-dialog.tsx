import { Button, Modal, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import type { Shadow, ShadowName } from '../api/shadows.ts';
import { objectWith, parsePath } from '../format/json-paths.ts';
import { kindOfValue, textOfValue, typedValue } from '../format/typed-json.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { ConflictNotice } from './conflict-notice.tsx';
import { valueText } from './shadow-words.ts';
import styles from './shadow.module.css';
import type { ShadowRow } from './shadow-rows.ts';
import { useDesiredChange } from './use-desired-change.ts';

interface EditFieldProps {
  readonly name: ShadowName;
  /** Undefined: there is none yet. */
  readonly shadow: Shadow | undefined;
  /** Undefined: a field that is still to be named. */
  readonly row: ShadowRow | undefined;
  readonly onClose: () => void;
}

export function EditFieldDialog({ opened, ...props }: EditFieldProps & { readonly opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={props.onClose}
      title={props.row === undefined ? 'Set a field' : `Set ${props.row.label}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <EditField {...props} />
    </Modal>
  );
}

function EditField({ name, shadow, row, onClose }: EditFieldProps) {
  // What it was when the dialog was opened: a change by somebody else from then on is a conflict.
  const [base] = useState(shadow);
  const [label, setLabel] = useState(row?.label ?? '');
  const [text, setText] = useState(() => firstText(row));
  const [fault, setFault] = useState('');
  const change = useDesiredChange(name, base, onClose);
  const value = typedValue(text);
  const isOwn = row?.desired?.isInherited === false;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const path = row?.path ?? parsePath(label);
    setFault(path === undefined ? 'Names with dots between, as fan.speed.' : '');
    if (path !== undefined && text.trim() !== '') change.save(objectWith(path, value));
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      {row === undefined && (
        <TextInput
          label="Field"
          description="With dots between: fan.speed"
          data-autofocus
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={label}
          error={fault === '' ? null : fault}
          onChange={(event) => setLabel(event.currentTarget.value)}
        />
      )}
      <TextInput
        label="Desired value"
        description={'A number, true, false, a text, or other JSON; "21" in quotes is a text.'}
        {...(row !== undefined && { 'data-autofocus': true })}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {text.trim() !== '' && (
        <div className={styles.sent} aria-live="polite">
          {value === null ? (
            'It is not asked for any more.'
          ) : (
            <>
              The device is asked for the {kindOfValue(value)} <code>{valueText(value)}</code>
            </>
          )}
        </div>
      )}
      {change.error !== null && <ProblemNotice error={change.error} />}
      {change.conflict !== undefined && (
        <ConflictNotice conflict={change.conflict} isPending={change.isPending} onOverwrite={change.overwrite} onKeep={onClose} />
      )}
      {change.conflict === undefined && (
        <div className={dialog.actions}>
          {isOwn && (
            <Button variant="default" disabled={change.isPending} onClick={() => change.save(objectWith(row.path, null))}>
              {row.desired?.over === undefined ? 'Stop asking for it' : 'Back to what is inherited'}
            </Button>
          )}
          <Button type="submit" loading={change.isPending} disabled={text.trim() === ''}>
            Set
          </Button>
        </div>
      )}
    </form>
  );
}

function firstText(row: ShadowRow | undefined): string {
  const known = row?.desired ?? row?.reported;
  return known === undefined ? '' : textOfValue(known.value);
}
