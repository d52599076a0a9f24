import { Button, Modal, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { SHADOW_NAME_PATTERN } from '../api/shadows.ts';
import dialog from '../ui/dialog.module.css';

interface NewShadowProps {
  readonly onNamed: (name: string) => void;
  readonly onClose: () => void;
}

/** Names a shadow that is not there yet: it is made with its first field. */
export function NewShadowDialog({ opened, ...props }: NewShadowProps & { readonly opened: boolean }) {
  return (
    <Modal opened={opened} onClose={props.onClose} title="Another shadow" closeButtonProps={{ 'aria-label': 'Close' }}>
      <NewShadow {...props} />
    </Modal>
  );
}

function NewShadow({ onNamed, onClose }: NewShadowProps) {
  const [name, setName] = useState('');
  const [fault, setFault] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (SHADOW_NAME_PATTERN.test(name)) onNamed(name);
    else setFault('1 to 64 of $ A–Z a–z 0–9 : _ -');
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      <TextInput
        label="Name"
        description="A shadow with a name is read and written by itself, as the part of a device that one team answers for."
        placeholder="config"
        data-autofocus
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={name}
        error={fault === '' ? null : fault}
        onChange={(event) => setName(event.currentTarget.value.trim())}
      />
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit">Go on</Button>
      </div>
    </form>
  );
}
