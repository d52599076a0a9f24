import { Button, Modal } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import type { Shadow, ShadowName } from '../api/shadows.ts';
import { mergePatch } from '../device/attribute-paths.ts';
import { prettyJson, typedObject } from '../format/typed-json.ts';
import dialog from '../ui/dialog.module.css';
import { JsonInput } from '../ui/json-input.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { ConflictNotice } from './conflict-notice.tsx';
import { useDesiredChange } from './use-desired-change.ts';

interface EditJsonProps {
  readonly name: ShadowName;
  /** Undefined: there is none yet. */
  readonly shadow: Shadow | undefined;
  readonly onClose: () => void;
}

export function EditJsonDialog({ opened, ...props }: EditJsonProps & { readonly opened: boolean }) {
  return (
    <Modal opened={opened} onClose={props.onClose} title="Desired state" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <EditJson {...props} />
    </Modal>
  );
}

/** All that is asked of the device itself, as one document. Only what is changed in it is sent. */
function EditJson({ name, shadow, onClose }: EditJsonProps) {
  const [base, setBase] = useState(shadow);
  const [text, setText] = useState(() => prettyJson(base?.desired ?? {}));
  const [fault, setFault] = useState('');
  const change = useDesiredChange(name, base, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const typed = typedObject(text);
    setFault('fault' in typed ? typed.fault : '');
    if ('fault' in typed) return;
    const patch = mergePatch(base?.desired ?? {}, typed.value);
    if (base !== undefined && Object.keys(patch).length === 0) onClose();
    else change.save(patch);
  };
  const takeTheirs = () => {
    const theirs = change.conflict?.current;
    setBase(theirs);
    setText(prettyJson(theirs?.desired ?? {}));
    change.forgetConflict();
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      <JsonInput
        label="Desired"
        description="What is asked of this device itself, without what it inherits. What you take out is not asked any more."
        rows={14}
        value={text}
        fault={fault}
        onChange={setText}
      />
      {change.error !== null && <ProblemNotice error={change.error} />}
      {change.conflict !== undefined && (
        <ConflictNotice
          conflict={change.conflict}
          isPending={change.isPending}
          onOverwrite={change.overwrite}
          onKeep={takeTheirs}
        />
      )}
      {change.conflict === undefined && (
        <div className={dialog.actions}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={change.isPending}>
            Save
          </Button>
        </div>
      )}
    </form>
  );
}
