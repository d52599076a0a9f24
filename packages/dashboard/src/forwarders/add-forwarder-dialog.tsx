import { Button, Checkbox, Modal, NativeSelect, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { addForwarder, TARGET_KINDS } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import {
  EMPTY_FORWARDER,
  formatOf,
  forwarderDraft,
  TARGET_FIELDS,
  type ForwarderFaults,
  type ForwarderForm,
} from './forwarder-draft.ts';
import styles from './forwarders.module.css';

const PLAIN = { spellCheck: false, autoCapitalize: 'none', autoComplete: 'off' } as const;

export function AddForwarderDialog({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Add a forwarder"
      size="lg"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <AddForwarder onClose={onClose} />
    </Modal>
  );
}

function AddForwarder({ onClose }: { readonly onClose: () => void }) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState<ForwarderForm>(EMPTY_FORWARDER);
  const [faults, setFaults] = useState<ForwarderFaults>({});
  const add = useMutation({
    mutationFn: addForwarder.bind(null, client),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['forwarders', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const change = (next: Partial<ForwarderForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = forwarderDraft(form);
    if ('faults' in made) setFaults(made.faults);
    else add.mutate(made.draft);
  };
  const { fields, secrets } = TARGET_FIELDS[form.kind];
  return (
    <form className={dialog.form} onSubmit={submit}>
      <div className={styles.pair}>
        <TextInput
          {...PLAIN}
          label="Id"
          placeholder="to-kafka"
          data-autofocus
          value={form.id}
          error={faults['id']}
          onChange={(event) => change({ id: event.currentTarget.value.trim() })}
        />
        <NativeSelect
          label="To"
          data={TARGET_KINDS.map((kind) => ({ value: kind, label: TARGET_FIELDS[kind].label }))}
          value={form.kind}
          onChange={(event) => change({ kind: TARGET_KINDS.find((kind) => kind === event.currentTarget.value) ?? 'webhook' })}
        />
      </div>
      <div className={styles.pair}>
        {fields.map(({ name, label, placeholder }) => (
          <TextInput
            {...PLAIN}
            key={name}
            label={label}
            placeholder={placeholder ?? ''}
            value={form.fields[name] ?? ''}
            error={faults[name]}
            onChange={(event) => change({ fields: { ...form.fields, [name]: event.currentTarget.value } })}
          />
        ))}
        {secrets.map(({ name, label, placeholder }) => (
          <PasswordInput
            key={name}
            autoComplete="off"
            label={label}
            placeholder={placeholder ?? ''}
            value={form.secrets[name] ?? ''}
            onChange={(event) => change({ secrets: { ...form.secrets, [name]: event.currentTarget.value } })}
          />
        ))}
      </div>
      <div className={styles.pair}>
        <NativeSelect
          label="As"
          data={[
            { value: 'raw', label: 'payloads as they came' },
            { value: 'samples', label: 'samples as the platform reads them' },
          ]}
          disabled={form.kind === 'influxdb'}
          value={formatOf(form)}
          onChange={(event) => change({ format: event.currentTarget.value === 'samples' ? 'samples' : 'raw' })}
        />
        <TextInput
          {...PLAIN}
          label="Only devices in (optional)"
          placeholder="/acme/berlin"
          value={form.group}
          onChange={(event) => change({ group: event.currentTarget.value })}
        />
        <TextInput
          {...PLAIN}
          label="Only of types (optional)"
          placeholder="boiler, pump"
          value={form.types}
          onChange={(event) => change({ types: event.currentTarget.value })}
        />
        {formatOf(form) === 'samples' && (
          <TextInput
            {...PLAIN}
            label="Only metrics (optional)"
            placeholder="temperature, power.*"
            value={form.metrics}
            onChange={(event) => change({ metrics: event.currentTarget.value })}
          />
        )}
      </div>
      <TextInput
        label="Description (optional)"
        autoComplete="off"
        maxLength={1000}
        value={form.description}
        onChange={(event) => change({ description: event.currentTarget.value })}
      />
      <Checkbox
        label="Also what the log still has"
        description="Else: what comes from now on."
        checked={form.fromBeginning}
        onChange={(event) => change({ fromBeginning: event.currentTarget.checked })}
      />
      {add.error !== null && <ProblemNotice error={add.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={add.isPending}>
          Add
        </Button>
      </div>
    </form>
  );
}
