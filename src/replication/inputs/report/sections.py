def sections(parts, findings, folder, note):
    return []
