// Boxes of a letter as small forms in the editor. What is no box here stays in the text as it is typed.
// The root of toPreview() becomes a paste converter of Sveltia's: a root <a> would swallow every pasted link and a root
// <div> every pasted <div>, so each has a tag that nobody pastes.
(() => {
  const shown = (text) => String(text ?? '').replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
  const line = (text) => String(text ?? '').replace(/\s+/g, ' ').trim();

  CMS.registerEditorComponent({
    id: 'button',
    label: 'Button',
    icon: 'smart_button',
    fields: [
      { name: 'text', label: 'Words on it', widget: 'string' },
      { name: 'url', label: 'Where it leads', widget: 'string' },
    ],
    pattern: /^\[(?<text>[^\]\n]+)\]\((?<url>[^)\s]+)\)\{\.button\}$/m,
    toBlock: ({ text, url }) => `[${line(text)}](${line(url)}){.button}`,
    toPreview: ({ text }) => `<nl-button><strong>[ ${shown(text)} ]</strong></nl-button>`,
  });

  const box = (id, label, icon, words) => CMS.registerEditorComponent({
    id,
    label,
    icon,
    fields: [...(words ? [words] : []), { name: 'body', label: 'Text', widget: 'richtext', editor_components: ['image', 'button'] }],
    pattern: new RegExp(`^::: ${id}(?:[ \\t]+(?<arg>[^\\n]*))?\\n(?<body>[\\s\\S]*?)\\n:::$`, 'm'),
    fromBlock: (found) => ({ arg: line(found.groups.arg), body: found.groups.body.trim() }),
    toBlock: ({ arg, body }) => `::: ${id}${line(arg) ? ' ' + line(arg) : ''}\n${String(body ?? '').trim()}\n:::`,
    toPreview: ({ arg, body }) => `<nl-${id}><strong>${shown(label)}${arg ? ': ' + shown(arg) : ''}</strong><br>${shown(body)}</nl-${id}>`,
  });

  box('callout', 'Tinted box', 'lightbulb', { name: 'arg', label: 'Title', widget: 'string', required: false });
  box('card', 'Framed box', 'featured_play_list', null);
  box('only', 'Only for some readers', 'groups', { name: 'arg', label: 'Who sees it', widget: 'select', options: window.PUBLICATION.readers });
})();
