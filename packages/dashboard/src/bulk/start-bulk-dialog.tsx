import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { startShadowUpdate } from '../api/shadow-updates.ts';
import { useServices } from '../app/services.ts';
import { TargetCount } from '../targets/target-count.tsx';
import { TargetInput } from '../targets/target-input.tsx';
import dialog from '../ui/dialog.module.css';
import { JsonInput } from '../ui/json-input.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { bulkDraft, EMPTY_BULK, type BulkFaults, type BulkForm } from './bulk-draft.ts';
import styles from './bulk.module.css';

const KINDS = ['group', 'fleet', 'type', 'filter', 'device'] as const;

export function StartBulkDialog({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Set something for many devices"
      size="lg"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <StartBulk onClose={onClose} />
    </Modal>
  );
}

function StartBulk({ onClose }: { readonly onClose: () => void }) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [form, setForm] = useState(EMPTY_BULK);
  const [faults, setFaults] = useState<BulkFaults>({});
  const start = useMutation({
    mutationFn: startShadowUpdate.bind(null, client),
    onSuccess: () => {
      for (const key of ['shadow-updates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      onClose();
    },
  });
  const change = (next: Partial<BulkForm>) => {
    setForm({ ...form, ...next });
    setFaults({});
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = bulkDraft(form);
    if ('faults' in made) setFaults(made.faults);
    else start.mutate(made.draft);
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      <div>
        <TargetInput kinds={KINDS} target={form.target} fault={faults.target ?? ''} onChange={(target) => change({ target })} />
        <TargetCount target={form.target} />
      </div>
      <JsonInput
        label="Desired"
        description="Merged into what each device has; null takes a field away."
        placeholder='{"mode": "eco"}'
        rows={7}
        value={form.desired}
        fault={faults.desired ?? ''}
        onChange={(desired) => change({ desired })}
      />
      <div className={styles.pair}>
        <TextInput
          label="Shadow"
          description="Empty: the classic one."
          placeholder="classic"
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={form.shadow}
          error={faults.shadow}
          onChange={(event) => change({ shadow: event.currentTarget.value.trim() })}
        />
        <TextInput
          label="Devices a second"
          description="At most, so that others are not slowed."
          inputMode="numeric"
          autoComplete="off"
          value={form.ratePerSec}
          error={faults.ratePerSec}
          onChange={(event) => change({ ratePerSec: event.currentTarget.value.replace(/\D/g, '').slice(0, 6) })}
        />
      </div>
      {start.error !== null && <ProblemNotice error={start.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={start.isPending}>
          Begin
        </Button>
      </div>
    </form>
  );
}
