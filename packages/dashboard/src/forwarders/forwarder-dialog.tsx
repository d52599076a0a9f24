import { Button, Checkbox, Modal, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { addForwarder, type Forwarder, TARGET_KINDS, updateForwarder } from '../api/forwarders.ts';
import type { Json } from '../api/json.ts';
import { useServices } from '../app/services.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import {
  BATCH_FIELDS,
  EMPTY_FORWARDER,
  FILTER_FIELDS,
  formatOf,
  formOf,
  forwarderDraft,
  forwarderPatch,
  type ForwarderFaults,
  type ForwarderForm,
} from './forwarder-draft.ts';
import styles from './forwarders.module.css';
import { TARGET_FIELDS, type TargetField } from './target-fields.ts';
import { FieldInput, SecretInput } from './target-inputs.tsx';

interface ForwarderDialogProps {
  /** `new`: one is added. Undefined: nothing is open. */
  readonly about: Forwarder | 'new' | undefined;
  readonly onClose: () => void;
}

/** Adds a forwarder, or changes one. */
export function ForwarderDialog({ about, onClose }: ForwarderDialogProps) {
  return (
    <Modal
      opened={about !== undefined}
      onClose={onClose}
      title={about === 'new' || about === undefined ? 'Add a forwarder' : `Change ${about.id}`}
      size="lg"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {about !== undefined && <EditForwarder before={about === 'new' ? undefined : about} onClose={onClose} />}
    </Modal>
  );
}

function EditForwarder({ before, onClose }: { readonly before: Forwarder | undefined; readonly onClose: () => void }) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState<ForwarderForm>(() => (before === undefined ? EMPTY_FORWARDER : formOf(before)));
  const [faults, setFaults] = useState<ForwarderFaults>({});
  const save = useMutation({
    mutationFn: async (body: Json) =>
      before === undefined ? await addForwarder(client, body) : await updateForwarder(client, before.id, body),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['forwarders', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const change = (next: Partial<ForwarderForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
  };
  const element = useRef<HTMLFormElement>(null);
  // What is wrong may be out of sight.
  useEffect(() => {
    element.current?.querySelector('[id$="-error"]')?.scrollIntoView({ block: 'center' });
  }, [faults]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = before === undefined ? forwarderDraft(form) : forwarderPatch(form, before);
    if ('faults' in made) setFaults(made.faults);
    else save.mutate('draft' in made ? made.draft : made.patch);
  };
  const { fields, secrets } = TARGET_FIELDS[form.kind];
  const inputs = (of: readonly TargetField[], part: 'fields' | 'filter' | 'batch', isMore: boolean) =>
    of
      .filter((field) => (field.isMore === true) === isMore)
      .map((field) => (
        <FieldInput
          key={field.name}
          field={field}
          value={form[part][field.name] ?? ''}
          error={faults[field.name]}
          onChange={(value) => change({ [part]: { ...form[part], [field.name]: value } })}
        />
      ));
  const secretInputs = (isMore: boolean) =>
    secrets
      .filter((field) => (field.isMore === true) === isMore)
      .map((field) => (
        <SecretInput
          key={field.name}
          field={field}
          value={form.secrets[field.name] ?? ''}
          error={faults[field.name]}
          onChange={(value) => change({ secrets: { ...form.secrets, [field.name]: value } })}
          isKnown={before?.secretNames.includes(field.name) === true}
          isRemoved={form.removed.includes(field.name)}
          onRemove={(isRemoved) =>
            change({
              removed: isRemoved ? [...form.removed, field.name] : form.removed.filter((name) => name !== field.name),
              secrets: { ...form.secrets, [field.name]: '' },
            })
          }
        />
      ));
  const filters = FILTER_FIELDS.filter(({ name }) => name !== 'metrics' || formatOf(form) === 'samples');
  const ofMore = [...fields, ...secrets, ...filters, ...BATCH_FIELDS.map((field) => ({ ...field, isMore: true }))];
  const hasMoreFault = ofMore.some(({ name, isMore }) => isMore === true && faults[name] !== undefined);
  return (
    <form ref={element} className={dialog.form} onSubmit={submit}>
      <div className={styles.pair}>
        <TextInput
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          label="Id"
          placeholder="to-kafka"
          data-autofocus={before === undefined}
          disabled={before !== undefined}
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
        {inputs(fields, 'fields', false)}
        {secretInputs(false)}
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
        {inputs(filters, 'filter', false)}
      </div>
      <TextInput
        label="Description (optional)"
        autoComplete="off"
        maxLength={1000}
        value={form.description}
        onChange={(event) => change({ description: event.currentTarget.value })}
      />
      <details className={styles.more} open={hasMoreFault}>
        <summary>
          More <span>certificates, what else is filtered, how much at once</span>
        </summary>
        <div className={styles.pair}>
          {inputs(fields, 'fields', true)}
          {secretInputs(true)}
          {inputs(filters, 'filter', true)}
          {inputs(BATCH_FIELDS, 'batch', false)}
        </div>
      </details>
      {before === undefined && (
        <Checkbox
          label="Also what the log still has"
          description="Else: what comes from now on."
          checked={form.fromBeginning}
          onChange={(event) => change({ fromBeginning: event.currentTarget.checked })}
        />
      )}
      {save.error !== null && <ProblemNotice error={save.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={save.isPending}>
          {before === undefined ? 'Add' : 'Save'}
        </Button>
      </div>
    </form>
  );
}
