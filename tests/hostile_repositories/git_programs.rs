//! Repositories that name programs for git to run.

use crate::Probe;

const fn probe(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::git(name, made, command)
}

pub const PROBES: &[Probe] = &[
    // A program that is asked which files changed.
    probe(
        "status.fsmonitor",
        "repo; evil .git/evil; conf core.fsmonitor $AT/.git/evil",
        "git status",
    ),
    probe(
        "diff.fsmonitor",
        "repo; evil .git/evil; conf core.fsmonitor .git/evil",
        "git diff",
    ),
    probe(
        "add.fsmonitor",
        "repo; evil .git/evil; conf core.fsmonitor .git/evil; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "commit.fsmonitor",
        "repo; evil .git/evil; conf core.fsmonitor .git/evil; echo two > file.txt",
        "git commit -a -m two",
    ),
    probe(
        "status.fsmonitor_in_worktree_config",
        "repo; evil .git/evil; conf core.repositoryformatversion 1; conf extensions.worktreeConfig true; git config -f .git/config.worktree core.fsmonitor .git/evil",
        "git status",
    ),
    probe(
        "status.fsmonitor_included",
        "repo; evil .git/evil; git config -f .git/more core.fsmonitor .git/evil; conf include.path more",
        "git status",
    ),
    probe(
        "status.fsmonitor_included_if",
        "repo; evil .git/evil; git config -f .git/more core.fsmonitor .git/evil; conf includeIf.onbranch:main.path more",
        "git status",
    ),
    probe(
        "status.fsmonitor_included_from_outside",
        "repo; evil .git/evil; git config -f $OUT/more core.fsmonitor .git/evil; conf include.path $OUT/more",
        "git status",
    ),
    // Hooks.
    probe(
        "status.hook_post_index_change",
        "repo; evil .git/hooks/post-index-change; touch -d 2001-01-01 file.txt",
        "git status",
    ),
    probe(
        "diff.hook_post_index_change",
        "repo; evil .git/hooks/post-index-change; touch -d 2001-01-01 file.txt",
        "git diff",
    ),
    probe(
        "add.hook_post_index_change",
        "repo; evil .git/hooks/post-index-change; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "commit.hook_pre_commit",
        "repo; evil .git/hooks/pre-commit",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.hook_prepare_message",
        "repo; evil .git/hooks/prepare-commit-msg",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.hook_message",
        "repo; evil .git/hooks/commit-msg",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.hook_post_commit",
        "repo; evil .git/hooks/post-commit",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.hook_post_rewrite",
        "repo; evil .git/hooks/post-rewrite",
        "git commit --amend -m two",
    ),
    probe(
        "commit.hook_reference_transaction",
        "repo; evil .git/hooks/reference-transaction",
        "git commit --no-verify --allow-empty -m two",
    ),
    probe(
        "commit.hook_pre_auto_gc",
        "repo; git repack -q; git commit -q --allow-empty -m two; git repack -q; conf gc.autoPackLimit 1; conf gc.autoDetach false; evil .git/hooks/pre-auto-gc",
        "git commit --allow-empty -m three",
    ),
    probe(
        "commit.hooks_path",
        "repo; evil .github/hooks/pre-commit; conf core.hooksPath .github/hooks",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.hooks_path_absolute",
        "repo; evil h/post-commit; conf core.hooksPath $AT/h",
        "git commit --allow-empty -m two",
    ),
    // Filters: of what is recorded.
    probe(
        "add.filter_clean",
        "repo; echo '*.txt filter=x' > .gitattributes; evil .git/evil; conf filter.x.clean .git/evil; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.filter_clean_shell",
        "repo; echo '*.txt filter=x' > .gitattributes; evil .git/evil; conf filter.x.clean 'cat; . .git/evil'; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.filter_process",
        "repo; echo '*.txt filter=x' > .gitattributes; evil .git/evil; conf filter.x.process .git/evil; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.filter_in_info",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.clean .git/evil; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.filter_in_named_attributes",
        "repo; echo '* filter=x' > .git/named; conf core.attributesFile .git/named; evil .git/evil; conf filter.x.clean .git/evil; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "commit.filter_clean",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.clean .git/evil; echo two > file.txt",
        "git commit -a -m two",
    ),
    probe(
        "commit.filter_process",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.process .git/evil; echo two > file.txt",
        "git commit -a -m two",
    ),
    probe(
        "commit.filter_clean_shell",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.clean '. .git/evil; cat'; echo two > file.txt",
        "git commit -a -m two",
    ),
    probe(
        "diff.filter_clean",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.clean .git/evil; echo two > file.txt",
        "git diff --no-ext-diff --no-textconv",
    ),
    probe(
        "diff.filter_process",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.process .git/evil; echo two > file.txt",
        "git diff --stat",
    ),
    probe(
        "status.filter_clean",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.clean .git/evil; echo eno > file.txt",
        "git status",
    ),
    probe(
        "status.filter_process",
        "repo; attributes '* filter=x'; evil .git/evil; conf filter.x.process .git/evil; echo eno > file.txt",
        "git status --short",
    ),
    // Drivers that show differences.
    probe(
        "diff.external",
        "repo; evil .git/evil; conf diff.external .git/evil; echo two > file.txt",
        "git diff",
    ),
    probe(
        "diff.external_staged",
        "repo; evil .git/evil; conf diff.external .git/evil; echo two > file.txt; git add .",
        "git diff --staged",
    ),
    probe(
        "diff.driver",
        "repo; attributes '* diff=x'; evil .git/evil; conf diff.x.command .git/evil; echo two > file.txt",
        "git diff",
    ),
    probe(
        "diff.textconv",
        "repo; attributes '* diff=x'; evil .git/evil; conf diff.x.textconv .git/evil; echo two > file.txt",
        "git diff",
    ),
    probe(
        "diff.textconv_shell",
        "repo; attributes '* diff=x'; evil .git/evil; conf diff.x.textconv '. .git/evil;:'; echo two > file.txt",
        "git diff --cached; git diff",
    ),
    probe(
        "diff.textconv_cached",
        "repo; attributes '* diff=x'; evil .git/evil; conf diff.x.textconv .git/evil; conf diff.x.cachetextconv true; echo two > file.txt",
        "git diff",
    ),
    // Programs that check and make signatures.
    probe(
        "log.gpg",
        "repo; signed 'PGP SIGNATURE'; evil .git/evil; conf log.showSignature true; conf gpg.program $AT/.git/evil",
        "git log",
    ),
    probe(
        "log.gpg_named_by_format",
        "repo; signed 'PGP SIGNATURE'; evil .git/evil; conf log.showSignature true; conf gpg.openpgp.program $AT/.git/evil",
        "git log --oneline",
    ),
    probe(
        "log.gpg_by_pretty_format",
        "repo; signed 'PGP SIGNATURE'; evil .git/evil; conf format.pretty %G?; conf gpg.program $AT/.git/evil",
        "git log",
    ),
    probe(
        "log.x509",
        "repo; signed 'SIGNED MESSAGE'; evil .git/evil; conf log.showSignature true; conf gpg.x509.program $AT/.git/evil",
        "git log",
    ),
    probe(
        "log.ssh",
        "repo; signed 'SSH SIGNATURE'; evil .git/evil; conf log.showSignature true; conf gpg.ssh.program $AT/.git/evil; conf gpg.ssh.allowedSignersFile /dev/null",
        "git log",
    ),
    probe(
        "commit.gpg",
        "repo; evil .git/evil; conf commit.gpgSign true; conf gpg.program $AT/.git/evil",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.x509",
        "repo; evil .git/evil; conf commit.gpgSign true; conf gpg.format x509; conf gpg.x509.program $AT/.git/evil",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.ssh",
        "repo; evil .git/evil; conf commit.gpgSign true; conf gpg.format ssh; conf user.signingKey key::x; conf gpg.ssh.program $AT/.git/evil",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.ssh_key_command",
        "repo; evil .git/evil; conf commit.gpgSign true; conf gpg.format ssh; conf gpg.ssh.defaultKeyCommand $AT/.git/evil",
        "git commit --allow-empty -m two",
    ),
    // An editor, though nobody is there.
    probe(
        "commit.editor",
        "repo; evil .git/evil; conf core.editor .git/evil",
        "git commit --amend",
    ),
    probe(
        "commit.editor_shell",
        "repo; evil .git/evil; conf core.editor '. .git/evil;:'",
        "git commit --amend",
    ),
    // Repositories where none is expected.
    probe(
        "status.bare_in_tree",
        "repo; mkdir bare; cd bare; git init -q --bare; git config -f config core.bare false; git config -f config core.worktree ..; evil evil; git config -f config core.fsmonitor $AT/bare/evil",
        "cd bare; git status",
    ),
    probe(
        "status.elsewhere",
        "repo; evil .git/evil; conf core.fsmonitor $AT/odd/evil; mv .git odd; echo 'gitdir: odd' > .git",
        "git status",
    ),
    probe(
        "status.linked",
        "repo; evil .git/evil; conf core.fsmonitor $AT/odd/evil; mv .git odd; ln -s odd .git",
        "git status",
    ),
    probe(
        "status.other_worktree",
        "repo; git worktree add -q ../other; mv ../other other; evil .git/evil; conf core.fsmonitor $AT/.git/evil; echo \"gitdir: $AT/.git/worktrees/other\" > other/.git",
        "cd other; git status",
    ),
    // Submodules, whose configuration counts too.
    probe(
        "status.sub_fsmonitor",
        "repo; sub; evil sub/.git/evil; git config -f sub/.git/config core.fsmonitor $AT/sub/.git/evil",
        "git status",
    ),
    probe(
        "diff.sub_fsmonitor",
        "repo; sub; evil sub/.git/evil; git config -f sub/.git/config core.fsmonitor $AT/sub/.git/evil",
        "git diff",
    ),
    probe(
        "status.sub_filter",
        "repo; sub; evil sub/.git/evil; mkdir -p sub/.git/info; echo '* filter=x' > sub/.git/info/attributes; git config -f sub/.git/config filter.x.clean $AT/sub/.git/evil; echo eno > sub/file.txt",
        "git status",
    ),
    probe(
        "diff.sub_external",
        "repo; sub; evil sub/.git/evil; conf diff.submodule diff; git config -f sub/.git/config diff.external $AT/sub/.git/evil; (cd sub; echo two > file.txt; git commit -qam two)",
        "git diff",
    ),
    probe(
        "add.sub_fsmonitor",
        "repo; sub; evil sub/.git/evil; git config -f sub/.git/config core.fsmonitor $AT/sub/.git/evil; echo two > file.txt",
        "git add -A; git commit -a -m two",
    ),
    // Objects that have to be fetched, by a program the repository names.
    probe(
        "diff.fetch_by_ssh",
        "repo; evil .git/evil; missing ssh://host/x; conf core.sshCommand $AT/.git/evil",
        "git diff",
    ),
    probe(
        "diff.fetch_by_command",
        "repo; evil .git/evil; missing \"ext::$AT/.git/evil\"; conf protocol.ext.allow always",
        "git diff",
    ),
    probe(
        "diff.fetch_by_shell",
        "repo; evil .git/evil; missing \"ext::sh $AT/.git/evil\"; conf protocol.allow always",
        "git diff",
    ),
    probe(
        "diff.fetch_by_upload_pack",
        "repo; evil .git/evil; missing file://$AT/.git; conf remote.origin.uploadpack $AT/.git/evil",
        "git diff",
    ),
    probe(
        "diff.fetch_by_proxy",
        "repo; evil .git/evil; missing git://host/x; conf core.gitProxy $AT/.git/evil",
        "git diff",
    ),
    probe(
        "commit.fetch_by_ssh",
        "repo; evil .git/evil; missing ssh://host/x; conf core.sshCommand $AT/.git/evil",
        "git commit -a -m two; git log --stat",
    ),
];
