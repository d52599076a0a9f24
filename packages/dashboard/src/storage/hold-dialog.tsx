import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { createHold, type HoldKind } from '../api/holds.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { TargetInput } from '../targets/target-input.tsx';
import { deviceIds, type Target } from '../targets/target.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';

const KINDS: readonly HoldKind[] = ['device', 'group', 'type'];
const NO_TARGET: Target = { kind: 'device', value: '' };

export function HoldDialog({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Hold telemetry" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <HoldFields onClose={onClose} />
    </Modal>
  );
}

function HoldFields({ onClose }: { readonly onClose: () => void }) {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [target, setTarget] = useState(NO_TARGET);
  const [reason, setReason] = useState('');
  const [faults, setFaults] = useState({ target: '', reason: '' });
  const create = useMutation({
    mutationFn: async ({
      kind,
      names,
      why,
    }: {
      readonly kind: HoldKind;
      readonly names: readonly string[];
      readonly why: string;
    }) => {
      for (const name of names) await createHold(client, { kind, name, reason: why });
    },
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['holds', 'audit', 'retention-plan']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const kind = KINDS.find((each) => each === target.kind) ?? 'device';
    const names = kind === 'device' ? deviceIds(target.value) : [target.value.trim()].filter((name) => name !== '');
    const why = reason.trim();
    setFaults({ target: names.length === 0 ? 'What is held?' : '', reason: why === '' ? 'Why is it held?' : '' });
    if (names.length > 0 && why !== '') create.mutate({ kind, names, why });
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      <TargetInput
        // A type has devices everywhere.
        kinds={KINDS.filter((kind) => kind !== 'type' || mayEverywhere('storage:write'))}
        target={target}
        fault={faults.target}
        onChange={setTarget}
      />
      <TextInput
        label="For whom, and why"
        placeholder="case 4711, requested by the court"
        autoComplete="off"
        value={reason}
        error={faults.reason === '' ? null : faults.reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      {create.error !== null && <ProblemNotice error={create.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={create.isPending}>
          Hold it
        </Button>
      </div>
    </form>
  );
}
